"""`adaptd updates tune`: what it prints, how it follows a study, and that Ctrl-C ends only the following."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.cli import tune as module
from daemon.cli.tune import lines_of, tune
from daemon.errors import UsageError

STUDY = {
    "study_id": 5,
    "method": "sft",
    "state": "open",
    "wanted": 50,
    "done": 12,
    "best": {"number": 7, "value": 0.41234, "settings": {"learning_rate": 0.00212, "passes": 6.25}},
    "reason": "12 trials, 12 of 50 finished in all",
    "optuna_name": "sft-5",
}
TUNING = {
    "version": 2,
    "settings": {"learning_rate": 0.00123456, "steps": 40.0},
    "since": "2026-11-01T12:00:00Z",
    "reason": "better in 3 of 3 seeds",
    "not_in_force": "",
}


def status(**changes: Any) -> dict[str, Any]:
    found = {
        "task": "erd",
        "on": True,
        "now": "idle",
        "method": "sft",
        "settings": {"learning_rate": 0.00123456, "steps": "auto"},
        "origin": "tuning 2 of study 4, in force since 2026-11-01 12:00 UTC",
        "journal": "/nowhere/erd.journal",
        "study": STUDY,
        "tunings": [TUNING, {**TUNING, "version": 1, "not_in_force": "a later one came"}],
    }
    return {**found, **changes}


def test_it_says_what_is_in_force_and_where_that_comes_from() -> None:
    assert list(lines_of(status())) == [
        "erd: sft with learning_rate 0.00123, steps auto (tuning 2 of study 4, in force since 2026-11-01 12:00 UTC)",
        "  search: idle",
        "  study 5 of sft: open, 12 of 50 trials: 12 trials, 12 of 50 finished in all",
        "    best so far: learning_rate 0.00212, 6.25 passes over the rows: 0.4123",
        "  version 2, since 2026-11-01T12:00: learning_rate 0.00123, 40 steps; in force",
        "    better in 3 of 3 seeds",
        "  version 1, since 2026-11-01T12:00: learning_rate 0.00123, 40 steps; not in force: a later one came",
        "    better in 3 of 3 seeds",
    ]
    assert "off (learners.hyperparameters)" in "\n".join(lines_of(status(on=False, study=None)))


def test_the_journal_is_named_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "erd.journal").touch()
    lines = "\n".join(lines_of(status(journal=str(tmp_path / "erd.journal"))))
    assert f"optuna-dashboard {tmp_path}/erd.journal   (study sft-5)" in lines


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the daemon says in turn; an exception is raised."""
    left: list[Any] = []

    def request(url: str, method: str, path: str) -> Any:
        said = left.pop(0)
        if isinstance(said, BaseException):
            raise said
        return said

    monkeypatch.setattr(module, "request", request)
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.0)
    return left


def test_a_study_is_followed_to_its_end(answers: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    ended = status(study={**STUDY, "state": "adopted", "done": 50})
    answers += [status(), status(now="update 7 of erd is running"), ended]
    tune("erd", trials=50, url="http://here")
    assert not answers
    assert "study 5 of sft: adopted, 50 of 50 trials" in capsys.readouterr().out


def test_ctrl_c_ends_the_following_alone(answers: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    answers += [status(), KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        tune("erd", trials=50, url="http://here")
    assert "study 5 goes on in the daemon" in capsys.readouterr().err


def test_two_wishes_at_once_are_refused() -> None:
    with pytest.raises(UsageError, match="say one of them"):
        tune("erd", reset=True, cancel=True)
