"""The demo as a user runs it, over seeds: it learns, it learns the new wish, and the hostile user does not spoil it.

Each run is `adaptd demo` in a process of its own and takes about four minutes; `make e2e` runs them all.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.train, pytest.mark.timeout(1800)]

SEEDS = (0, 1, 2)
LONGEST_S = 300.0  # the demo's own promise, the base's training included


@dataclass(frozen=True)
class Ran:
    """What one demo wrote, and what it printed."""

    scores: list[float]
    change_at: int
    promoted: int
    seconds: float
    largest_share: float
    over_cap: int
    printed: str

    @property
    def before(self) -> float:
        """The last score before the wish changed."""
        return self.scores[self.change_at - 1]


def run_demo(folder: Path, seed: int, *flags: str) -> Ran:
    output = folder / "out.json"
    command = [sys.executable, "-m", "daemon.cli.main", "demo", "--seed", str(seed), "--output", str(output)]
    ran = subprocess.run(
        [*command, "--folder", str(folder / "demo"), *flags], capture_output=True, text=True, timeout=1200, check=False
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    found = json.loads(output.read_text())
    print(f"\nseed {seed} {' '.join(flags)}: {json.dumps(found)}")
    fields = ("scores", "change_at", "promoted", "seconds", "largest_share", "over_cap")
    return Ran(**{name: found[name] for name in fields}, printed=ran.stdout)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Ran]:
    return {seed: run_demo(tmp_path_factory.mktemp(f"seed{seed}"), seed) for seed in SEEDS}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_score_rises_dips_with_the_new_wish_and_recovers(runs: dict[int, Ran], seed: int) -> None:
    ran = runs[seed]
    assert ran.scores[0] == pytest.approx(0.53, abs=0.05)
    assert ran.before > 0.90
    assert ran.scores[ran.change_at] < ran.before - 0.05, "the new wish must cost something"
    assert ran.scores[-1] > 0.90
    assert ran.promoted >= 2
    assert ran.seconds < LONGEST_S


@pytest.mark.parametrize("seed", SEEDS)
def test_no_batch_exceeds_the_cap_though_one_user_floods(runs: dict[int, Ran], seed: int) -> None:
    assert runs[seed].largest_share > 0, "no batch was seen at all"
    assert runs[seed].over_cap == 0


def test_the_hostile_user_costs_less_than_three_points(
    runs: dict[int, Ran], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Over the seeds: one run's end hangs on which candidate came last, and varies by two points either way."""
    without = [run_demo(tmp_path_factory.mktemp(f"calm{seed}"), seed, "--no-hostile") for seed in SEEDS]
    cost = statistics.mean(ran.scores[-1] for ran in without) - statistics.mean(r.scores[-1] for r in runs.values())
    print(f"\nthe hostile user costs {100 * cost:.1f} points of 100, mean over seeds {SEEDS}")
    assert cost < 0.03


def test_without_caps_and_gate_the_hostile_user_does_harm(runs: dict[int, Ran], tmp_path: Path) -> None:
    unguarded = run_demo(tmp_path, SEEDS[0], "--no-guarded")
    assert unguarded.scores[-1] < runs[SEEDS[0]].scores[-1] - 0.05


def test_the_terminal_says_what_happens_and_what_comes_next(runs: dict[int, Ran]) -> None:
    printed = runs[SEEDS[0]].printed
    for words in ("examples", "promoted", "the users want something new", "score.png", "adaptd init && adaptd run"):
        assert words in printed
