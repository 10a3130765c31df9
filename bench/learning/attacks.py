"""Cells in which some users are hostile: three updates in a row, with and without caps and gate.

Each round the champion answers new asks, the crowd says what it thinks of it, the batch is picked under the product's
caps, the candidate is trained as the product would start it, and the product's gate judges it by the task's validator
on held-out prompts, whose users are the same crowd. With the gate off every candidate is promoted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.learning.bases import BaseRecord
from bench.learning.cells import Cell
from bench.learning.gym import Gym, TrainingFailed
from bench.learning.settings import find_setting, in_force
from bench.learning.tasks import Ask, Faults
from bench.learning.updates import Batch, Ended, pick_batch, run_update
from bench.learning.users import NOW, Crowd, Reply, tell
from daemon.config import Config
from examples.erd.world import Pool
from learners.gate import Answer, GateRow, Judgement, judge
from learners.replay import StartChoice, StartEvidence, choose_start
from learners.validators import open_validator
from storage.records import Row

ROUNDS = 3
TOLD = 80  # interactions with feedback in a round
GATE_PROMPTS = 100


def run_attack(gym: Gym, record: BaseRecord, cell: Cell) -> dict[str, Any]:
    """The champion's exam before and after every round; `lowest` is the worst score that a champion ever had."""
    point = cell.point
    config = in_force(gym.task, find_setting(cell.setting), rows=point.rows, steps=point.steps, guarded=point.caps)
    line = Line(gym, cell, config)
    crowd = Crowd(noise=point.noise, hostile=point.hostile)
    scores = [line.exam()]
    for number in range(ROUNDS):
        asks = gym.asks(Pool.EVENTS, 1000 * cell.seed + number, TOLD, point.rare)
        told = tell(gym.task, Faults(record.recipe.faults), asks, line.answers(asks), crowd, cell.seed + number, NOW)
        batch = pick_batch(told, find_setting(cell.setting), config, gym.task.name, NOW, 1000 * cell.seed + number)
        line.update(batch, gated=point.gate)
        scores.append(line.exam())
    values = [score["score"] for score in scores]
    return {
        "metrics": scores[-1],
        "base_metrics": scores[0],
        "scores": values,
        "lowest": min(values),
        "verdicts": line.verdicts,
        "hostile_share": line.hostile_share,
        "cpu_s": round(line.cpu_s, 3),
    }


class Line:
    """A line of adapters in the gym: its champion, what it learned, and the gate before it."""

    def __init__(self, gym: Gym, cell: Cell, config: Config) -> None:
        self.gym, self.cell, self.config = gym, cell, config
        self.setting = find_setting(cell.setting)
        self.champion: Path | None = None
        self.learned: list[Row] = []
        self.verdicts: list[str] = []
        self.hostile_share: list[float] = []
        self.cpu_s = 0.0
        self._kept: Ended | None = None
        self._gate: dict[tuple[str, ...], tuple[Reply, ...]] = {}

    def exam(self) -> dict[str, float]:
        """The champion's metrics on the cell's exam."""
        return asdict(self.gym.metrics(self.cell.seed, self.champion))

    def answers(self, asks: Sequence[Ask]) -> tuple[Reply, ...]:
        """The champion's."""
        return self.gym.replies(asks, self.champion)

    def update(self, batch: Batch, *, gated: bool, start: StartChoice | None = None) -> None:
        """Train a candidate, judge it, and put it in the champion's place or drop it."""
        if not batch.rows:
            self.verdicts.append("no batch")
            return
        seed = 1000 * self.cell.seed + len(self.verdicts)
        choice = start or self.choose(batch)
        try:
            ended = run_update(
                self.gym,
                batch,
                self.setting,
                self.config,
                seed,
                learned=self.learned,
                start=choice,
                champion=self.champion,
            )
        except TrainingFailed:
            self.verdicts.append("failed")
            return
        self.cpu_s += ended.cpu_s
        hostile = sum(told.hostile for told in ended.trained_on)
        self.hostile_share.append(round(hostile / max(1, len(ended.trained_on)), 4))
        verdict = self._judge(ended, seed).verdict if gated else "promote"
        self.verdicts.append(verdict)
        self._conclude(ended, batch, promoted=verdict == "promote")

    def choose(self, batch: Batch) -> StartChoice:
        """As the daemon chooses where to start; nothing here decays, for nothing is old."""
        evidence = StartEvidence(
            champion_is_base=self.champion is None,
            batch_rows=len(batch.rows),
            learned_rows=len(self.learned),
            learned_effective=float(len(self.learned)),
            row_s=None,
            passes=12.0,
            budget_s=600.0,
        )
        return choose_start("auto", evidence)

    def _conclude(self, ended: Ended, batch: Batch, *, promoted: bool) -> None:
        if not promoted:
            self.gym.forget(ended.trained)
            return
        if self._kept is not None:
            self.gym.forget(self._kept.trained)
        self._kept, self.champion = ended, ended.trained.adapter
        self.learned += batch.rows
        self._gate.clear()

    def _judge(self, ended: Ended, seed: int) -> Judgement:
        task = self.config.task(self.gym.task.name)
        assert task is not None, "the gym's configuration names its task"
        asks = self.gym.asks(Pool.GATE, self.cell.seed, GATE_PROMPTS, self.cell.point.rare)
        before = self._gate.setdefault(("champion",), self.answers(asks)) if not self._gate else self._gate["champion",]
        after = self.gym.replies(asks, ended.trained.adapter)
        rows = [self._gate_row(at, ask, *said) for at, (ask, *said) in enumerate(zip(asks, after, before, strict=True))]
        texts = [row.completion for row in (*self.learned, *ended.batch.rows) if row.role == "target"]
        return judge(rows, (), task.gate, seed, max_share_per_user=task.batching.max_share_per_user, human_texts=texts)

    def _gate_row(self, at: int, ask: Ask, candidate: Reply, champion: Reply) -> GateRow:
        return GateRow(
            id=str(at),
            weight=1.0,
            candidate=self._answer(ask, candidate),
            champion=self._answer(ask, champion),
            user=f"user-{at % 10}",
        )

    def _answer(self, ask: Ask, reply: Reply) -> Answer:
        name, settings = self.gym.task.validator
        found = open_validator(name, settings).validate(ask.prompt, reply.text)
        return Answer(reply.text, score=found.score, checks=found.checks, finish_reason=reply.finish_reason)
