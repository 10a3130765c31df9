"""What the gate says of adapters that are really trained, beside what is true of them.

    python -m bench.gate_real                 fifty updates in a row of each kind, about 25 minutes of CPU
    python -m bench.gate_real --write         put the table into docs/gate.md

The example's small base learns its task again and again, a fresh LoRA each time from 24 corrections of other users,
with another seed; each candidate is judged once against the adapter that reigns, on the same 200 gate prompts, and
takes its place where it is promoted. *Idle* candidates learn from careful corrections as the first champion did, so
none is better but by luck; *spoiled* ones have sloppy targets among theirs. What is true of a promotion or a rejection
is read on 400 other prompts, whose own standard error is stated: a difference below that is none. Rates have exact
(Clopper-Pearson) 95 % intervals.

Limits: one small model, one task, one look each. All candidates of a kind meet champions that were promoted before
them, and the same gate prompts: they are no independent draws. Fifty know a rate to a few percent, which bench.gate
knows better; what they show is that its simulated differences are like real ones.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from bench.reporting import ROOT, Circumstances, parser, progress, write_between
from examples.erd.base import ensure_base
from examples.erd.world import Pool, entities_of, good_answer, prompts, sloppy_answer
from learners.base import base_hash
from learners.engines.wire import Sampling
from learners.gate import Answer, GateRow, GateSettings, Judgement, judge
from learners.gate.statistics import Floats, Paired
from learners.job import DEV_ROWS, ROWS, Base, Lora, Model, Phase, Start, TrainJob, TrainResult
from learners.job_files import read_result, write_job, write_rows
from learners.validators import open_validator
from storage.records import Message, Origin, Row

PAGE = ROOT / "docs" / "gate.md"
ROWS_EACH, STEPS, RATE = 24, 40, 2.5e-3
GATE_PROMPTS, TRUTH_PROMPTS = 200, 400
SPOILED_SHARE = 0.25


@dataclass(frozen=True)
class Seen:
    """An adapter's answers: on the gate's prompts, and its scores on those that tell the truth."""

    answers: tuple[Answer, ...]
    truth: Floats


@dataclass(frozen=True)
class Judged:
    """One candidate: what the gate said, and the true difference with its standard error."""

    kind: str
    judgement: Judgement
    truth: Paired


class Gym:
    """The base, in memory, with one adapter at a time."""

    def __init__(self, folder: Path, base: Path) -> None:
        from learners.engines.local.model import Model as Engine
        from learners.engines.local.model import ModelLimits

        self._folder, self._base = folder, Base(path=str(base), hash=base_hash(base))
        self._engine = Engine(base, ModelLimits(max_context=512))
        self._validator = open_validator("mermaid_erd", {})
        self._gate, self._truth = prompts(Pool.GATE, GATE_PROMPTS), prompts(Pool.SCORE, TRUTH_PROMPTS)

    def candidate(self, seed: int, spoiled: float) -> Seen:
        """Trained on rows of its own, of which that share is sloppy."""
        folder = self._folder / f"{seed}-{spoiled}"
        self._train(folder, seed, spoiled)
        name = folder.name
        self._engine.load(name, folder / "adapter")
        try:
            said = self._say(name, self._gate)
            truth = np.array([answer.score for answer in self._say(name, self._truth)], dtype=np.float64)
        finally:
            self._engine.unload(name)
        return Seen(tuple(said), truth)

    def _train(self, folder: Path, seed: int, spoiled: float) -> None:
        from learners.training.worker import perform

        folder.mkdir()
        job = TrainJob(
            task="erd",
            update_id=seed,
            candidate=f"erd@v{seed}",
            phases=(Phase(method="sft", settings={"learning_rate": RATE, "steps": STEPS}),),
            seed=seed,
            base=self._base,
            start=Start(mode="base"),
            model=Model(max_context=512, lora=Lora(dropout=0.0)),
        )
        write_job(folder, job)
        write_rows(folder / ROWS, _rows(seed, spoiled))
        write_rows(folder / DEV_ROWS, [])
        perform(folder)
        result = read_result(folder)
        if not isinstance(result, TrainResult) or result.outcome != "trained":
            raise SystemExit(f"training {folder} failed: {result.reason if result else 'no result'}")

    def _say(self, name: str, asked: Sequence[str]) -> list[Answer]:
        sampling = Sampling(max_tokens=300)
        given = [self._engine.prepare([Message("user", prompt)], sampling) for prompt in asked]
        said: list[Any] = []
        for start in range(0, len(given), 64):
            said += self._engine.generate(name, given[start : start + 64])
        found = [self._validator.validate(prompt, answer.text) for prompt, answer in zip(asked, said, strict=True)]
        return [
            Answer(one.text, score=judged.score, checks=dict(judged.checks), finish_reason=one.finish_reason)
            for one, judged in zip(said, found, strict=True)
        ]


def _rows(seed: int, spoiled: float) -> list[Row]:
    rng = random.Random(seed)
    asked = prompts(Pool.EVENTS, ROWS_EACH, seed=seed)
    return [
        Row(
            messages=(Message("user", prompt),),
            completion=sloppy_answer(entities_of(prompt), rng)
            if rng.random() < spoiled
            else good_answer(entities_of(prompt)),
            role="target",
            signal=1.0,
            reward=1.0,
            weight=1.0,
            origin=Origin(f"{seed}-{at}", 1),
            user_id=None,
            effective_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for at, prompt in enumerate(asked)
    ]


def look(candidate: Seen, champion: Seen, seed: int) -> Judgement:
    """One first look, as the daemon takes it."""
    pairs = zip(candidate.answers, champion.answers, strict=True)
    return judge([GateRow(str(at), 1.0, *pair) for at, pair in enumerate(pairs)], (), GateSettings(), seed=seed)


def repeated(gym: Gym, kind: str, spoiled: float, updates: int, first_seed: int, step: Any) -> list[Judged]:
    """Updates in a row; a promoted candidate reigns from then on."""
    champion, found = gym.candidate(first_seed, 0.0), []
    step()
    for seed in range(first_seed + 1, first_seed + 1 + updates):
        candidate = gym.candidate(seed, spoiled)
        judgement = look(candidate, champion, seed)
        found.append(Judged(kind, judgement, Paired(candidate.truth - champion.truth, np.ones(TRUTH_PROMPTS))))
        if judgement.verdict == "promote":
            champion = candidate
        step()
    return found


HEADER = (
    "| candidates | judged | true difference, points: lowest, mean, highest | promoted (their true differences) | "
    "promoted though not better | a point worse or more: judged, promoted | rejected (true: mean, highest) | "
    "held |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
)
A_POINT = 0.01


def line(kind: str, found: Sequence[Judged]) -> str:
    truths = [100 * one.truth.mean for one in found]
    spread = f"{min(truths):+.1f}, {sum(truths) / len(truths):+.1f}, {max(truths):+.1f}"
    ends = {end: [one for one in found if one.judgement.verdict == end] for end in ("promote", "reject", "hold")}
    promoted = ends["promote"]
    no_better = [one for one in promoted if one.truth.mean <= 0]
    worse = [one for one in found if one.truth.mean <= -A_POINT]
    worse_promoted = [one for one in worse if one in promoted]
    each = f" ({', '.join(f'{100 * one.truth.mean:+.1f}' for one in promoted)})" if promoted else ""
    return " | ".join(
        (
            f"| {kind} | {len(found)} | {spread} | {len(promoted)}{each}",
            rate(len(no_better), len(found)),
            f"{len(worse)}, {rate(len(worse_promoted), len(worse))}",
            f"{len(ends['reject'])}{_mean_and_highest(ends['reject'])}",
            f"{len(ends['hold'])} |",
        )
    )


def _mean_and_highest(found: Sequence[Judged]) -> str:
    truths = [100 * one.truth.mean for one in found]
    return f" ({sum(truths) / len(truths):+.1f}, {max(truths):+.1f})" if truths else ""


def rate(count: int, of: int) -> str:
    """In percent, with its exact interval."""
    if not of:
        return "none"
    low, high = exact_interval(count, of)
    return f"{count} ({100 * count / of:.0f} %, {100 * low:.0f} to {100 * high:.0f} %)"


def exact_interval(count: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """The shares under which so many, or more, and so many, or fewer, are as rare as (1 - level) / 2 (Clopper and
    Pearson 1934)."""
    tail = (1 - level) / 2
    low = _share(lambda share: 1 - _at_most(count - 1, of, share) - tail) if count else 0.0
    high = _share(lambda share: tail - _at_most(count, of, share)) if count < of else 1.0
    return low, high


def _share(rises_through_zero: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if rises_through_zero(middle) > 0 else (middle, high)
    return low


def _at_most(count: int, of: int, share: float) -> float:
    return sum(comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(count + 1))


def main() -> None:
    """Train, judge, print, and write where asked to."""
    options = parser(__doc__)
    options.add_argument("--updates", type=int, default=50)
    given = options.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    updates = 2 if given.quick else given.updates
    before, base = Circumstances(), ensure_base()
    kinds = (("idle", 0.0), ("spoiled", SPOILED_SHARE))
    with tempfile.TemporaryDirectory() as folder, progress() as shown:
        gym = Gym(Path(folder), base)
        bar = shown.add_task("adapters", total=len(kinds) * (updates + 1))
        found = {
            kind: repeated(gym, kind, spoiled, updates, given.seed * 10_000 + 100 * at, lambda: shown.advance(bar))
            for at, (kind, spoiled) in enumerate(kinds)
        }
    of_gate = [
        100 * one.judgement.report["standard_error"] * GATE_PROMPTS**0.5 for each in found.values() for one in each
    ]
    of_truth = [100 * one.truth.standard_error for each in found.values() for one in each]
    report = before.report("gate_real", given.seed, {"updates": updates, "rows": ROWS_EACH, "steps": STEPS}, ())
    words = "\n".join(
        [
            HEADER,
            *(line(kind, each) for kind, each in found.items()),
            "",
            f"The spread of the differences was {min(of_gate):.0f} to {max(of_gate):.0f} points; a true difference is "
            f"known to a standard error of {np.mean(of_truth):.1f} points.",
            "",
            f"Run: {report.words()}.",
        ]
    )
    Console().print(words, markup=False, highlight=False, soft_wrap=True)
    if given.write and not given.quick:
        write_between(PAGE, "gate_real", words)


if __name__ == "__main__":
    main()
