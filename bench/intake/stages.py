"""What an event costs adaptd in CPU time, without Kafka: the same feed, handed to the real intake over a real store.

    python -m bench.intake.stages                       half a minute; the least of several runs
    python -m bench.intake.stages --parcel 1000         as if one partition's megabyte were made durable at a time

Where `python -m bench.intake` says how fast the whole is, this says what a change of the code does to it, also on a
machine that is not quiet. A parcel is what is made durable at once; its records are those of one partition.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from bench.intake.feed import Feed, Record
from consumers.decode import decode_batch
from daemon.cli.run import GC_AFTER
from daemon.config import Config
from daemon.intake import Intake, Parcel
from storage import claims
from storage.records import Claim, Raw, Stream, StreamBatch
from storage.store import Store

PARTITIONS = 8
CONFIG = {"sources": [{"type": "http"}], "tasks": {"bench": {}}}
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def whole(records: Sequence[Record], size: int) -> float:
    """Seconds of CPU time, of all threads, from bytes to the last commit."""
    config = Config.model_validate(CONFIG)
    with tempfile.TemporaryDirectory(prefix="adaptd-bench-") as folder, Store.open(f"sqlite:///{folder}/a.db") as store:
        intake = Intake(store, lambda: config, lambda: NOW)
        given = list(_parcels(records, _claims(store), size))
        began_s = time.process_time()
        stored = sum([intake.ingest(parcel).stored for parcel in given])
        took_s = time.process_time() - began_s
    if stored != len(records):
        raise RuntimeError(f"{stored} of {len(records)} events were stored: mend bench.intake.feed")
    return took_s


def decoding(records: Sequence[Record], size: int) -> float:
    """Seconds of CPU time that decoding and cleaning alone take."""
    raws = [Raw(value, number, NOW) for number, (_, value) in enumerate(records)]
    began_s = time.process_time()
    for start in range(0, len(raws), size):
        decode_batch(raws[start : start + size])
    return time.process_time() - began_s


def _claims(store: Store) -> list[Claim]:
    streams = [Stream(f"bench/{number}", f"bench[{number}]") for number in range(PARTITIONS)]
    return [store.write(lambda tx, of=stream: claims.take(tx, of, 0)) for stream in streams]  # type: ignore[misc]


def _parcels(records: Sequence[Record], held: Sequence[Claim], size: int) -> Iterator[Parcel]:
    """The records by the partition that their key falls into, `size` of each partition in turn."""
    parts: list[list[Raw]] = [[] for _ in held]
    for key, value in records:
        part = parts[zlib.crc32(key) % len(held)]
        part.append(Raw(value, len(part), NOW))
    for start in range(0, max(map(len, parts)), size):
        for claim, part in zip(held, parts, strict=True):
            if some := tuple(part[start : start + size]):
                yield Parcel("kafka", ((StreamBatch(claim.stream, start, start + len(some), some), claim),))


def _least(measured: Callable[[Sequence[Record], int], float], records: Sequence[Record], size: int, runs: int) -> str:
    gc.collect()
    each = [measured(records, size) / len(records) * 1e6 for _ in range(runs)]
    return f"{min(each):6.1f} us an event   ({', '.join(f'{one:.1f}' for one in each)})"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--events", type=int, default=30_000)
    options.add_argument("--parcel", type=int, default=1000, help="events that are made durable at once")
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    gc.set_threshold(*GC_AFTER)  # as the daemon does
    for similarity in (False, True):
        records = list(Feed(chosen.seed, similarity=similarity).records(chosen.events))
        for name, measured in (("decoding", decoding), ("whole", whole)):
            said = _least(measured, records, chosen.parcel, chosen.runs)
            print(f"similarity {'on ' if similarity else 'off'} {name:9}{said}")


if __name__ == "__main__":
    main()
