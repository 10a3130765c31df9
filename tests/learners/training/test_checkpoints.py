"""A training run that is asked to end and goes on later: the same adapter as one that was left in peace."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from learners.job import CHECKPOINT, RESULT, BatchLimits, Lora, Model, Phase, Pooled, TrainResult
from learners.job_files import copy_checkpoint, read_result, write_pool
from learners.training import stopping
from learners.training.worker import perform
from tests.learners.training.test_kto import judged
from tests.learners.training.tiny import make_job, pair, row

pytestmark = [
    pytest.mark.train,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]
SETTINGS = {"learning_rate": 0.02, "steps": 12, "batch_size": 4, "patience": 12}


def after_steps(steps: int) -> Callable[[], bool]:
    """Asked for the first time at the end of that step; the trainer looks once a step."""
    looks = 0

    def is_asked() -> bool:
        nonlocal looks
        looks += 1
        return looks >= steps

    return is_asked


def prepared(directory: Path, base: Path, **changes: Any) -> Path:
    """With dropout, so that random numbers count, and a dev fold, so that the best weights do."""
    rows, dev = [row(number) for number in range(9)], [row(number) for number in range(20, 28)]
    model = Model(max_context=256, lora=Lora(rank=4, alpha=8, dropout=0.2))
    make_job(directory, base, rows, dev=dev, settings=SETTINGS, model=model, **changes)
    write_pool(directory, [Pooled(origin=one.origin, users=(one_of,), weight=1.0) for one_of, one in enumerate(rows)])
    return directory


def in_phases(directory: Path, base: Path, method: str = "dpo", **changes: Any) -> Path:
    """Six steps each; the second with a dev fold."""
    told = [pair(number) if method == "dpo" else judged(number, number % 2 == 0) for number in range(20, 38)]
    rows, dev = [*(row(number) for number in range(6)), *told[:6]], told[10:]
    settings = {**SETTINGS, "steps": 6}
    phases = (Phase(method="sft", settings=settings, rows=6, dev_rows=0), Phase(method=method, settings=settings))
    make_job(directory, base, rows, dev=dev, phases=phases, **changes)
    return directory


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> TrainResult:
    """Both phases, undisturbed."""
    return trained(in_phases(tmp_path_factory.mktemp("whole") / "job", tiny_base))


def trained(directory: Path) -> TrainResult:
    perform(directory)
    result = read_result(directory)
    assert isinstance(result, TrainResult)
    assert result.outcome == "trained", result.reason
    return result


@pytest.mark.parametrize("step", [1, 5])
def test_it_goes_on_to_the_very_bytes_of_an_undisturbed_run(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    from learners.training import checkpoints

    whole = trained(prepared(tmp_path / "whole", tiny_base))
    first = prepared(tmp_path / "first", tiny_base)
    with monkeypatch.context() as patched, pytest.raises(stopping.Interrupted, match=f"after step {step} of 12"):
        patched.setattr(checkpoints, "is_asked", after_steps(step))
        perform(first)
    assert not (first / RESULT).exists()
    second = prepared(tmp_path / "second", tiny_base)
    shutil.copytree(first / CHECKPOINT, second / CHECKPOINT)
    resumed = trained(second)
    assert resumed.files == whole.files
    plain = {"seconds", "warm"}
    assert resumed.model_dump(exclude=plain) == whole.model_dump(exclude=plain)


def test_what_learners_chose_and_ordered_by_the_champion_is_the_same_when_it_goes_on(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from learners.training import checkpoints

    trained(prepared(tmp_path / "before", tiny_base))
    by_the_champion = {
        "learners": {"active": {"diverse": 0.0}, "curriculum": {"difficulty": "loss"}},
        "batch": BatchLimits(size=6, cap=6),
        "champion_path": str(tmp_path / "before" / "adapter"),
    }
    whole = trained(prepared(tmp_path / "whole", tiny_base, **by_the_champion))
    first = prepared(tmp_path / "first", tiny_base, **by_the_champion)
    with monkeypatch.context() as patched, pytest.raises(stopping.Interrupted):
        patched.setattr(checkpoints, "is_asked", after_steps(5))
        perform(first)
    second = prepared(tmp_path / "second", tiny_base, **by_the_champion)
    shutil.copytree(first / CHECKPOINT, second / CHECKPOINT)
    resumed = trained(second)
    assert resumed.files == whole.files
    assert (resumed.batch, resumed.learners) == (whole.batch, whole.learners)
    from_the_base = trained(prepared(tmp_path / "base", tiny_base, **{**by_the_champion, "champion_path": None}))
    assert from_the_base.learners != whole.learners, "the champion was not asked"


@pytest.mark.parametrize(("method", "step"), [("dpo", 3), ("dpo", 9), ("kto", 9)])
def test_two_phases_go_on_where_they_were_left_off(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, method: str, step: int
) -> None:
    """In the sixth step the second phase begins: its reference is the first one's end, and not the base."""
    from learners.training import checkpoints

    whole = trained(in_phases(tmp_path / "whole", tiny_base, method))
    first = in_phases(tmp_path / "first", tiny_base, method)
    with monkeypatch.context() as patched, pytest.raises(stopping.Interrupted):
        patched.setattr(checkpoints, "is_asked", after_steps(step))
        perform(first)
    second = in_phases(tmp_path / "second", tiny_base, method)
    shutil.copytree(first / CHECKPOINT, second / CHECKPOINT)
    resumed = trained(second)
    assert [phase.method for phase in resumed.phases] == ["sft", method]
    assert resumed.files == whole.files
    plain = {"seconds", "warm"}
    assert resumed.model_dump(exclude=plain) == whole.model_dump(exclude=plain)
    assert not (second / CHECKPOINT).exists()


def test_one_asked_in_its_last_step_ends_with_its_result(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from learners.training import checkpoints

    monkeypatch.setattr(checkpoints, "is_asked", after_steps(12))
    directory = prepared(tmp_path / "job", tiny_base)
    trained(directory)
    assert not (directory / CHECKPOINT).exists()


def test_a_checkpoint_kept_in_passing_changes_nothing_and_is_gone_in_the_end(
    tmp_path: Path, tiny_base: Path, whole: TrainResult
) -> None:
    kept = in_phases(tmp_path / "kept", tiny_base, checkpoint_every_s=1e-6)
    assert trained(kept).files == whole.files
    assert {path.name for path in kept.iterdir() if path.is_dir()} == {"adapter"}


def test_a_crash_in_the_second_phase_goes_on_in_it(
    tmp_path: Path, tiny_base: Path, whole: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crashes while the checkpoint of step 9 takes the place of that of step 8."""
    first = in_phases(tmp_path / "first", tiny_base, checkpoint_every_s=1e-6)
    saved, rename = [0], Path.rename

    def torn(self: Path, target: Path) -> Path:
        saved[0] += target.name == CHECKPOINT
        if saved[0] == 8:  # of each phase's six steps, all but the last, and the beginning of the second phase
            raise RuntimeError("as if killed")
        return rename(self, target)

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="as if killed"):
        patched.setattr(Path, "rename", torn)
        perform(first)
    assert not (first / CHECKPOINT).exists(), "the crash was to be between the renames"
    second = in_phases(tmp_path / "second", tiny_base)
    copy_checkpoint(first, second)
    resumed = trained(second)
    assert resumed.files == whole.files
    assert [phase.steps for phase in resumed.phases] == [6, 6]


def test_a_crash_before_the_second_phase_has_a_checkpoint_does_not_cost_the_first(
    tmp_path: Path, tiny_base: Path, whole: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    from learners.training import phases

    begun, train_phase = list[str](), phases._train_phase

    def dies(bench: Any) -> Any:
        begun.append(bench.phase.method)
        if begun == ["sft", "dpo"]:
            raise RuntimeError("as if killed")
        return train_phase(bench)

    monkeypatch.setattr(phases, "_train_phase", dies)
    first = in_phases(tmp_path / "first", tiny_base)
    with pytest.raises(RuntimeError, match="as if killed"):
        perform(first)
    second = in_phases(tmp_path / "second", tiny_base)
    copy_checkpoint(first, second)
    resumed = trained(second)
    assert begun == ["sft", "dpo", "dpo"]
    assert resumed.files == whole.files
    assert {path.name for path in second.iterdir() if path.is_dir()} == {"adapter"}


def test_a_crash_after_the_last_step_goes_on_from_the_last_checkpoint(
    tmp_path: Path, tiny_base: Path, whole: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    from learners.training import phases

    def dies(*_: Any) -> Any:
        raise RuntimeError("as if killed")

    first = in_phases(tmp_path / "first", tiny_base, checkpoint_every_s=1e-6)
    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="as if killed"):
        patched.setattr(phases, "retention", dies)
        perform(first)
    second = in_phases(tmp_path / "second", tiny_base)
    copy_checkpoint(first, second)
    assert trained(second).files == whole.files
