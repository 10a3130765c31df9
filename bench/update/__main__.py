"""What an update costs beyond training, on the small model of examples/erd (trained on the first run, a minute of CPU).

    python -m bench.update              about four minutes
    python -m bench.update --quick      to see that it works

Three questions. How much does a warm worker save over starting a script, on a job of 20 examples? What does the daemon
(its engine idle, its gate off, no dev fold) add to the bare trainer, TRL alone on the same rows and steps, over an
update of 20 s or more? And how long does it take from the event that fills a batch to an answer by the new adapter
through the gateway, with training, a gate of 60 prompts, release and `settle: 0s`?
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.progress import Progress

from bench.reporting import Circumstances, Figure, finish, parser, progress
from bench.update.daemon_runs import Bed, Compared, IntoService, into_service, update_and_bare
from bench.update.worker_start import warm_and_cold
from examples.erd.base import ensure_base

LONG_STEPS, SHORT_STEPS = 700, 60
TURNS = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds."""

    warm: float
    cold: float
    compared: list[Compared]
    served: list[IntoService]


def measure(base: Path, folder: Path, seed: int, turns: int, steps: int, repeats: int, bars: Progress) -> Measured:
    """All three, one after another."""
    bar = bars.add_task("warm worker, script", total=turns)
    warm, cold = warm_and_cold(base, folder / "workers", turns, seed, 1, lambda: bars.advance(bar))
    compared, served = list[Compared](), list[IntoService]()
    bar = bars.add_task("daemon, bare trainer", total=repeats)
    for turn in range(repeats):
        bed = Bed(base, folder / f"long-{turn}", seed + turn, threads=1, steps=steps, gate=False)
        compared.append(update_and_bare(bed))
        bars.advance(bar)
    bar = bars.add_task("batch filled to answering", total=repeats)
    for turn in range(repeats):
        served.append(into_service(Bed(base, folder / f"short-{turn}", seed + turn, 2, SHORT_STEPS, gate=True)))
        bars.advance(bar)
    return Measured(warm, cold, compared, served)


def figures(found: Measured) -> list[Figure]:
    """The table; with several repeats, medians."""
    return [
        Figure("20 examples, warm worker", found.warm, "s"),
        Figure("20 examples, starting a script", found.cold, "s"),
        Figure("script over warm worker", found.cold / found.warm, "x", target=2),
        Figure("an update by the daemon", median(each.daemon for each in found.compared), "s"),
        Figure("of that, outside its worker", median(each.outside for each in found.compared), "s"),
        Figure("the bare trainer on its rows", median(each.bare for each in found.compared), "s", target=20),
        Figure("what the daemon adds", 100 * median(e.added for e in found.compared), "%", target=5, at_most=True),
        Figure("batch filled to update begun", median(each.begun for each in found.served), "s"),
        Figure("batch filled to trained", median(each.trained for each in found.served), "s"),
        Figure("batch filled to promoted", median(each.judged for each in found.served), "s"),
        Figure("batch filled to answering", max(e.answering for e in found.served), "s", target=30, at_most=True),
    ]


def main() -> None:
    """Measure, print, write."""
    options = parser(__doc__)
    options.add_argument("--steps", type=int, help=f"steps of the long update (default {LONG_STEPS})")
    options.add_argument("--repeats", type=int, help="daemons started for each of the last two questions (default 2)")
    chosen = options.parse_args()
    turns = 2 if chosen.quick else TURNS
    steps = chosen.steps or (100 if chosen.quick else LONG_STEPS)
    repeats = chosen.repeats or (1 if chosen.quick else 2)
    base = ensure_base()
    circumstances = Circumstances()
    with tempfile.TemporaryDirectory(prefix="adaptd-bench-") as folder, progress() as bars:
        found = measure(base, Path(folder), chosen.seed, turns, steps, repeats, bars)
    asked = {"turns": turns, "steps": steps, "repeats": repeats}
    finish(circumstances.report("update", chosen.seed, asked, figures(found)), chosen)


if __name__ == "__main__":
    main()
