"""A real search, with workers that train: it gives way in seconds, and a kill loses one trial."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.executors.local import LocalExecutor
from daemon.searching import Searching
from learners.base import base_hash
from learners.job import Base
from storage import tunings
from storage.store import Store
from tests.daemon.search_desk import BUSY, config, fill, task_of
from tests.learners.training.tiny import make_base
from tests.storage.makers import NOW


@pytest.fixture
def tiny_base(tmp_path: Path) -> Path:
    return make_base(tmp_path / "tiny-base")


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    executor = LocalExecutor()
    yield executor
    executor.close()


@pytest.mark.train
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_real_search_gives_way_in_seconds_and_a_kill_loses_one_trial(
    store: Store, tmp_path: Path, tiny_base: Path, executor: LocalExecutor
) -> None:
    digest = base_hash(tiny_base)
    fill(store, digest)
    whole = config(tiny_base, hyperparameters={"idle": "0s", "trials": 50})
    base = Base(path=str(tiny_base), hash=digest)
    searching = Searching(store, tmp_path / "artifacts", executor, base, lambda: whole, lambda: NOW)

    def until(trials: int) -> None:
        deadline = time.monotonic() + 300
        while _study(store).done < trials:
            searching.tick([task_of(whole)], "")
            assert time.monotonic() < deadline, searching.words("erd")
            time.sleep(0.05)

    searching.tick([task_of(whole)], "")
    until(2)
    asked = time.monotonic()
    searching.tick([task_of(whole)], BUSY)  # the batch was ripe
    assert time.monotonic() - asked < 10
    assert searching._search is None
    kept = _trials(tmp_path)
    assert sum(one.state.name != "RUNNING" for one in kept) >= 2

    searching.tick([task_of(whole)], "")
    until(_study(store).done + 1)
    assert searching._search is not None
    os.kill(searching._search.handle.pid, signal.SIGKILL)
    before = [one for one in _trials(tmp_path) if one.state.is_finished()]
    until(_study(store).done + 1)
    searching.stop()
    after = _trials(tmp_path)
    assert [one.value for one in after[: len(kept)] if one.state.name == "COMPLETE"][:2] == [
        one.value for one in kept if one.state.name == "COMPLETE"
    ][:2]
    lost = [one for one in after if one.state.name == "FAIL"]
    assert len(lost) <= 2, "one by giving way, one by the kill"
    assert len([one for one in after if one.state.is_finished()]) > len(before)
    assert _study(store).crashes <= 1


def _study(store: Store) -> Any:
    studies = store.read(lambda tx: tunings.list_studies(tx, "erd"))
    return studies[0] if studies else type("None yet", (), {"done": 0})


def _trials(folder: Path) -> list[Any]:
    """As anybody reads them who has Optuna, while a worker may be writing."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(folder / "artifacts" / "studies" / "erd.journal")))
    return optuna.load_study(study_name="sft-1", storage=storage).trials
