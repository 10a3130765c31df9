"""From Kafka to durable scored rows: adaptd's intake beside a plain loop, and beside polling that keeps nothing.

    python -m bench.intake                      about five minutes
    python -m bench.intake --backlog 1000000    whether rate and memory hold over a long backlog
    python -m bench.intake --quick              a minute, to see that it works

A real Apache Kafka on this machine is filled first; each candidate then reads it in a process of its own, one after
another. (a) is the plain per-event loop, with the same scores by the libraries' own functions, over the first events of
the same topic; (a') is that loop with adaptd's scorer. (b) is polling and pydantic alone, on a topic without
corrections, where adaptd has no texts to compare either. Rates are by the clock; CPU times tell more on a machine that
is not quiet.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from bench.intake import adaptd
from bench.intake.consuming import Pace, in_child
from bench.intake.feed import Feed
from bench.intake.loading import load
from bench.reporting import Circumstances, Figure, finish, parser, progress
from tests.services.kafka import KafkaBroker
from tests.services.kafka_jars import KafkaUnavailable

PARTITIONS = 8
BACKLOG, WITHOUT_SIMILARITY, PLAIN = 200_000, 100_000, 5_000
QUICK = 0.1
AGREES = 1e-9


@dataclass(frozen=True, slots=True)
class Sizes:
    """Events of each part."""

    backlog: int
    without_similarity: int
    plain: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured; `a` is the plain loop, `a_ours` with adaptd's scorer, `b` polling and pydantic alone."""

    whole: adaptd.Run
    unscored: adaptd.Run
    a: Pace
    a_ours: Pace
    b: Pace
    disagreeing: int  # signals that adaptd and the plain loop see differently


def measure(sizes: Sizes, seed: int, folder: Path, bars: Progress) -> Measured:
    """All parts, one after another, on one broker."""
    with KafkaBroker() as broker:
        servers = ",".join(broker.bootstrap_servers)
        bare = _fill(broker, Feed(seed, similarity=False), sizes.without_similarity, bars, "events without corrections")
        polled = _apart(
            bars, "(b) polling and pydantic", "bench.intake.polling", servers, bare, sizes.without_similarity
        )
        unscored = _daemon(servers, bare, sizes.without_similarity, folder / "bare", bars, "adaptd, similarity off")
        broker.delete_topic(bare)
        mixed = _fill(broker, Feed(seed), sizes.backlog, bars, "events with corrections")
        plain_db = folder / "plain.db"
        plain, ours = (
            _apart(bars, f"(a) plain loop, {by}", "bench.intake.plain", servers, mixed, sizes.plain, str(path), by)
            for by, path in (("libraries", plain_db), ("adaptd", folder / "ours.db"))
        )
        whole = _daemon(servers, mixed, sizes.backlog, folder / "mixed", bars, "adaptd")
    return Measured(whole, unscored, plain, ours, polled, _disagreeing(plain_db, folder / "mixed"))


def _fill(broker: KafkaBroker, feed: Feed, count: int, bars: Progress, what: str) -> str:
    topic = broker.create_topic(partitions=PARTITIONS)
    bar = bars.add_task(f"sending {what}", total=count)
    load(broker.bootstrap_servers, topic, feed.records(count), lambda sent: bars.advance(bar, sent))
    return topic


def _apart(bars: Progress, what: str, module: str, servers: str, topic: str, count: int, *more: str) -> Pace:
    bar = bars.add_task(what, total=count)
    pace = in_child(module, servers, topic, str(count), *more)
    bars.update(bar, completed=count)
    return pace


def _daemon(servers: str, topic: str, count: int, folder: Path, bars: Progress, what: str) -> adaptd.Run:
    bar = bars.add_task(what, total=count)
    return adaptd.run(servers, topic, count, folder, lambda done: bars.update(bar, completed=done))


def _disagreeing(plain_db: Path, folder: Path) -> int:
    """Corrections were compared by libraries there and by adaptd here; those whose response came later only here."""
    with sqlite3.connect(plain_db) as store:
        plain = dict(store.execute("SELECT event_id, signal FROM event WHERE signal IS NOT NULL").fetchall())
    ours = adaptd.signals_of(folder, list(plain))
    return sum(ours[each] is None or abs(plain[each] - (ours[each] or 0.0)) > AGREES for each in plain)


def figures(measured: Measured) -> list[Figure]:
    """The table."""
    whole, unscored = measured.whole.pace(), measured.unscored.pace()
    first, last = measured.whole.share(0, 0.1), measured.whole.share(0.9, 1)
    early, late = measured.whole.rss_mib(0, 0.25), measured.whole.rss_mib(0.75, 1)
    return [
        Figure("adaptd, durable scored rows", whole.per_second, "/s"),
        Figure("(a) plain per-event loop, scores by nltk and Levenshtein", measured.a.per_second, "/s"),
        Figure("(a') the same loop, scores by adaptd's code", measured.a_ours.per_second, "/s"),
        Figure("adaptd over (a)", whole.per_second / measured.a.per_second, "x", target=10),
        Figure("adaptd over (a), CPU time", measured.a.cpu_us / whole.cpu_us, "x"),
        Figure("adaptd, similarity off", unscored.per_second, "/s"),
        Figure("(b) polling and pydantic", measured.b.per_second, "/s"),
        Figure("adaptd over (b)", unscored.per_second / measured.b.per_second, "x", target=0.5),
        Figure("adaptd over (b), CPU time", measured.b.cpu_us / unscored.cpu_us, "x"),
        Figure("CPU an event: adaptd", whole.cpu_us, "us"),
        Figure("CPU an event: adaptd, similarity off", unscored.cpu_us, "us"),
        Figure("CPU an event: (a)", measured.a.cpu_us, "us"),
        Figure("CPU an event: (a')", measured.a_ours.cpu_us, "us"),
        Figure("CPU an event: (b)", measured.b.cpu_us, "us"),
        Figure("last tenth of the backlog over the first", last.per_second / first.per_second, "x", target=0.7),
        Figure("memory, first quarter", early, "MiB"),
        Figure("memory, last quarter over first", late / early, "x", target=1.15, at_most=True),
        Figure("signals that (a) sees differently", measured.disagreeing, "", target=0, at_most=True),
    ]


def main() -> None:
    """Measure, print, write."""
    options = parser(__doc__)
    options.add_argument("--backlog", type=int, help=f"events with corrections (default {BACKLOG:,})")
    chosen = options.parse_args()
    scale = QUICK if chosen.quick else 1.0
    backlog = chosen.backlog or int(BACKLOG * scale)
    sizes = Sizes(backlog, int(WITHOUT_SIMILARITY * scale), min(backlog, int(PLAIN * scale)))
    circumstances = Circumstances()
    try:
        with tempfile.TemporaryDirectory(prefix="adaptd-bench-") as folder, progress() as bars:
            measured = measure(sizes, chosen.seed, Path(folder), bars)
    except KafkaUnavailable as error:
        sys.exit(f"bench/intake needs a real Kafka: {error}")
    asked = {"backlog": sizes.backlog, "similarity off": sizes.without_similarity, "plain loop": sizes.plain}
    finish(circumstances.report("intake", chosen.seed, asked, figures(measured)), chosen)


if __name__ == "__main__":
    main()
