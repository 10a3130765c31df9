"""What the doctor says of settings that never come true together."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config import load
from daemon.doctor.checks import Check
from daemon.doctor.tasks import check_tasks


def found(folder: Path, text: str) -> list[Check]:
    (folder / "adaptd.yaml").write_text(f"tasks: {{erd: , other: }}\n{text}\n")
    return check_tasks(load(folder / "adaptd.yaml", environ={}))


@pytest.mark.parametrize(
    ("text", "state", "words"),
    [
        (
            "batching: {min: 2, max: 4, min_users: 5}",
            "warn",
            ("batching.min_users (5) is above batching.max (4)", "lower min_users or raise max"),
        ),
        (
            "gate: {min_prompts: 30}\nholdout: {cap: 20}",
            "fail",
            ("gate.min_prompts (30) is above holdout.cap (20)", "lower min_prompts or raise holdout.cap"),
        ),
        (
            "holdout: {share: 0, min: 0}",
            "warn",
            ("holdout.share is 0, and holdout.min (0) is below gate.min_prompts (20)", "raise one of the two"),
        ),
    ],
)
def test_a_contradiction_is_said_once_with_what_to_do(
    tmp_path: Path, text: str, state: str, words: tuple[str, ...]
) -> None:
    (check,) = found(tmp_path, text)
    assert (check.state, check.exit_code) == (state, 3 if state == "fail" else 0)
    assert all(each in check.words for each in words)


@pytest.mark.parametrize(
    "text", ["", "gate: {enabled: false, min_prompts: 300}\nholdout: {share: 0, min: 0}", "holdout: {share: 0}"]
)
def test_settings_that_go_together_are_not_spoken_of(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == []


def test_a_tasks_own_keys_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "adaptd.yaml").write_text("tasks: {erd: {batching: {min: 2, max: 4}}}")
    (check,) = check_tasks(load(tmp_path / "adaptd.yaml", environ={}))
    assert check.name == "batching"
