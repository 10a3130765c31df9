"""The tuner before an update: a study on what was told earlier, by the daemon's own steps, and what is adopted of it.

As an idle daemon does it: trials in a search job, then a comparison over fresh seeds in another, then the rule of
`learners.tuner`. It searches on one batch of an earlier crowd's feedback and a dev fold of that, none of which is in
the batch that is trained and judged after. Limits: the updates of the gym have no dev fold, so what is adopted is
trained without the early stopping that every trial had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.learning.bases import BaseRecord
from bench.learning.cells import BACKLOG, Cell
from bench.learning.gym import Gym, TrainingFailed
from bench.learning.settings import find_setting
from bench.learning.tasks import Faults
from bench.learning.updates import pick_batch, task_of
from bench.learning.users import NOW, Crowd, Told, tell
from daemon.config import Config, TaskConfig
from daemon.methods_on import methods_on
from daemon.search_jobs import NoJob, in_force, next_job, numbers_of, search_job
from daemon.search_material import SearchMaterial, knobs_of, material_of
from daemon.studies import journal_of
from examples.erd.world import Pool
from learners.job import SearchJob, SearchResult
from learners.preference import sort_rows
from learners.router import rows_of
from learners.tuner import judge
from storage.records import Study

TRIALS = 12
EARLIER = 500  # added to the cell's seed: another crowd, asked other things
MOST_JOBS = 4  # trials, the comparison, and two more where trials came to no number


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search came to: `settings` are in force after it, `trials` were finished; CPU seconds of all of it."""

    adopted: bool
    settings: dict[str, Any]
    reason: str
    trials: int
    cpu_s: float

    def told(self) -> dict[str, Any]:
        """For the cell's file."""
        return {
            "adopted": self.adopted,
            "tuned": self.settings,
            "tuned_because": self.reason,
            "trials": self.trials,
            "search_cpu_s": round(self.cpu_s, 3),
        }


def tune(gym: Gym, record: BaseRecord, cell: Cell, config: Config, trials: int = TRIALS) -> Tuned:
    """Search as an idle daemon would before this cell's update. Raises ValueError with too little to search on."""
    task = task_of(config, gym.task.name)
    material = _material(_told_earlier(gym, record, cell), cell, config, task)
    return _Search(gym, config, task, material, gym.new_folder(), _study(gym, task, material, cell, trials)).run()


def _told_earlier(gym: Gym, record: BaseRecord, cell: Cell) -> list[Told]:
    point, count, seed = cell.point, BACKLOG * cell.point.rows, cell.seed + EARLIER
    asks = gym.asks(Pool.EVENTS, seed, count, point.rare)
    replies = gym.base_replies(Pool.EVENTS, seed, count, point.rare)
    crowd = Crowd(noise=point.noise, kind=point.feedback)
    return tell(gym.task, Faults(record.recipe.faults), asks, replies, crowd, seed, NOW, prefix="earlier-")


def _material(told: Sequence[Told], cell: Cell, config: Config, task: TaskConfig) -> SearchMaterial:
    """A batch of it, as any other, and the dev fold's share; prompts are drawn, so the first are as good as any."""
    held = round(task.holdout.dev_share * len(told))
    dev = [row for each in told[:held] for row in rows_of(each.example, task.rewards, NOW)]
    batch = pick_batch(told[held:], find_setting(cell.setting), config, task.name, NOW, cell.seed)
    phases = sort_rows(batch.rows, (), dev, methods_on(task), task.preference).phases
    found = material_of(task, phases, None)
    if isinstance(found, str):
        raise ValueError(f"too little to search on: {found}")
    return found


def _study(gym: Gym, task: TaskConfig, material: SearchMaterial, cell: Cell, trials: int) -> Study:
    return Study(
        study_id=cell.seed,
        task=task.name,
        method=material.method,
        base_hash=gym.base.hash,
        state="open",
        wanted=trials,
        done=0,
        crashes=0,
        rows=len(material.rows),
        knobs=[knob.model_dump() for knob in knobs_of(task, material)],
        best={},
        reason="",
        created_at=NOW,
        changed_at=NOW,
    )


@dataclass
class _Search:
    """A study at work."""

    gym: Gym
    config: Config
    task: TaskConfig
    material: SearchMaterial
    studies: Path
    study: Study
    cpu_s: float = field(default=0.0, init=False)

    def run(self) -> Tuned:
        for _ in range(MOST_JOBS):
            job = next_job(self._job(), self.study, allowed=self.study.wanted)
            if isinstance(job, NoJob):
                return self._kept(job.reason)
            try:
                result, cpu_s = self.gym.search(job, self.material.rows, self.material.dev)
            except TrainingFailed as failed:
                return self._kept(f"failed: {failed}")
            self.cpu_s += cpu_s
            if result.pairs:
                return self._judged(result)
            best = result.best.model_dump() if result.best else {}
            self.study = replace(self.study, done=result.finished, best=best)
        return self._kept(f"{self.study.done} of {self.study.wanted} trials came to a number")

    def _job(self) -> SearchJob:
        return search_job(
            self.config,
            self.task,
            self.study,
            self.gym.base,
            self.material,
            journal=journal_of(self.studies, self.task.name),
            champion=None,
            start=None,
            in_force=in_force(self.task, self.study, None, self.gym.base.hash),
        )

    def _judged(self, result: SearchResult) -> Tuned:
        found = judge(numbers_of(result.pairs), self.task.hyperparameters)
        if not found.won:
            return self._kept(found.reason)
        return Tuned(True, dict(self.study.best["settings"]), found.reason, self.study.done, self.cpu_s)

    def _kept(self, reason: str) -> Tuned:
        settings = in_force(self.task, self.study, None, self.gym.base.hash)
        return Tuned(False, settings, reason, self.study.done, self.cpu_s)
