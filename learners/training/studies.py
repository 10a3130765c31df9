"""A study in Optuna's journal, made so that a worker may die at any moment.

The journal is a file to which Optuna only appends; one worker at a time writes to it. A worker that is killed can
leave three things behind, which the next one puts right: half a line, a lock that nobody holds, and a trial that runs
for ever. So a kill costs one trial. Optuna's own tools read the file: `optuna-dashboard FILE`.

One line that cannot be read would end every search of the task from then on, for Optuna reads all of them. So a
journal that was damaged otherwise (by a disk, by hand) is cut off before the first such line: what stands before it is
a journal still, and the whole file is kept beside it as `FILE.broken`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Final

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.trial import TrialState, create_trial

from learners.job import BestTrial, Knob, StudyPlace

LOCK_GRACE_S: Final = 3  # a lock older than this belongs to a worker that was killed; Optuna warns below 3
STARTUP_TRIALS: Final = 6  # drawn at random before the sampler has something to go by
NOT_FINITE: Final = "the loss on the dev fold was not finite"
FINISHED: Final = (TrialState.COMPLETE, TrialState.PRUNED)


class Pruned(Exception):
    """The trial does worse than half of those before it did at this point."""


class NoNumber(Pruned):
    """The trial came to nothing that could be compared, and why: its loss was not finite, or an update would be
    refused after such a training. To Optuna it is pruned, so that the sampler learns to keep away."""


class Trials:
    """The trials of one study: asks Optuna what to try, and tells it what came of it."""

    def __init__(self, place: StudyPlace, knobs: tuple[Knob, ...], start_from: Mapping[str, float], seed: int) -> None:
        self.damage = mend(Path(place.path))  # in words, for the report; empty where there was none
        self._storage = _storage(Path(place.path))
        self._spaces: dict[str, BaseDistribution] = {knob.name: _space(knob) for knob in knobs}
        # A sampler begins anew in each worker; with one seed for all it would propose the same again.
        self._study = optuna.create_study(
            storage=self._storage, study_name=place.name, load_if_exists=True, direction="minimize"
        )
        begun = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = TPESampler(seed=seed + begun, n_startup_trials=STARTUP_TRIALS)
        self._study.pruner = MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=2)
        self.lost, self.pruned = self._give_up_lost(), 0
        self.without: list[str] = []  # why trials came to no number
        if not begun and start_from:
            self._study.enqueue_trial({name: _in(knob, start_from) for name, knob in _by_name(knobs)})

    def _give_up_lost(self) -> int:
        """Trials of a worker that died. Only one worker has a study, so whatever runs is nobody's."""
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        for trial in running:
            self._study.tell(trial.number, state=TrialState.FAIL)
        return len(running)

    @property
    def finished(self) -> int:
        return len(self._study.get_trials(deepcopy=False, states=FINISHED))

    @property
    def best(self) -> BestTrial | None:
        if not self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            return None
        trial = self._study.best_trial
        assert trial.value is not None, "a complete trial has its value"
        return BestTrial(number=trial.number, value=trial.value, settings=dict(trial.params))

    @contextmanager
    def next(self) -> Iterator[_Trial]:
        """One trial; it ends as what is said inside, as pruned (also without a number), or, where something else is
        raised, as failed."""
        trial = _Trial(self._study.ask(self._spaces))
        try:
            yield trial
            if trial.value is None or not isfinite(trial.value):
                raise NoNumber(NOT_FINITE)
        except Pruned as ended:
            if isinstance(ended, NoNumber):
                self.without.append(str(ended))
            else:
                self.pruned += 1
            self._study.tell(trial.number, state=TrialState.PRUNED)
        except BaseException:
            self._study.tell(trial.number, state=TrialState.FAIL)
            raise
        else:
            self._study.tell(trial.number, trial.value)


class _Trial:
    """Settings to try; put what came of them into `value`."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self.number = trial.number
        self.settings: dict[str, float] = dict(trial.params)
        self.value: float | None = None

    def reading(self, number: int, loss: float) -> None:
        """Of the dev fold, while it trains. Raises Pruned, NoNumber."""
        if not isfinite(loss):
            raise NoNumber(NOT_FINITE)
        self._trial.report(loss, number)
        if self._trial.should_prune():
            raise Pruned


class Pairs:
    """What comparisons came to, by seed, kept beside the study under a name of its own."""

    def __init__(self, place: StudyPlace) -> None:
        mend(Path(place.path))
        self._study = optuna.create_study(
            storage=_storage(Path(place.path)), study_name=place.name, load_if_exists=True, directions=["minimize"] * 2
        )

    def found(self, settings: Mapping[str, float], against: Mapping[str, object]) -> dict[int, tuple[float, float]]:
        """(against, settings) by seed, of those that were finished for these two."""
        kept = {}
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            told = trial.user_attrs
            if told["settings"] == dict(settings) and told["against"] == dict(against):
                kept[int(told["seed"])] = (trial.values[0], trial.values[1])
        return kept

    def keep(
        self, settings: Mapping[str, float], against: Mapping[str, object], seed: int, values: tuple[float, float]
    ) -> None:
        told = {"seed": seed, "settings": dict(settings), "against": dict(against)}
        self._study.add_trial(create_trial(values=list(values), user_attrs=told))


def _storage(path: Path) -> JournalStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(path), JournalFileSymlinkLock(str(path), LOCK_GRACE_S)))


def mend(path: Path) -> str:
    """Cuts off what cannot be read, for what is appended behind that could never be read either: half a line that a
    kill left, and, kept in another file first, all from the first line on that is none of a journal.

    Returns the latter in words, for people; empty where there was no such line.
    """
    if not path.exists():
        return ""
    text = path.read_bytes()
    whole = _readable(text)
    damaged = b"\n" in text[whole:]
    if damaged:
        shutil.copyfile(path, path.with_name(f"{path.name}.broken"))
    if whole < len(text):
        with path.open("rb+") as file:
            file.truncate(whole)
            file.flush()
            os.fsync(file.fileno())
    line = text[:whole].count(b"\n") + 1
    return f"line {line} of {path.name} could not be read: what came from there on is lost" if damaged else ""


def _readable(text: bytes) -> int:
    """How many bytes from the beginning are whole lines as Optuna writes them."""
    read = 0
    for line in text.split(b"\n")[:-1]:
        try:
            found = json.loads(line)
        except ValueError:
            return read
        if not isinstance(found, dict) or "op_code" not in found:
            return read
        read += len(line) + 1
    return read


def _space(knob: Knob) -> BaseDistribution:
    return FloatDistribution(knob.low, knob.high, log=knob.log)


def _by_name(knobs: tuple[Knob, ...]) -> Iterator[tuple[str, Knob]]:
    return ((knob.name, knob) for knob in knobs)


def _in(knob: Knob, values: Mapping[str, float]) -> float:
    return min(knob.high, max(knob.low, values.get(knob.name, knob.configured)))
