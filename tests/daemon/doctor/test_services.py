"""What the doctor says of a judge and of a validator's service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from daemon.config import Config, load
from daemon.doctor.checks import Check
from daemon.doctor.services import check_services
from tests.daemon.daemons import free_port
from tests.learners.pairwise.judge_server import judging
from tests.learners.validators.score_service import ScoreService


@pytest.fixture
def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}"


def config_of(folder: Path, config: Mapping[str, Any]) -> Config:
    with (folder / "adaptd.yaml").open("w") as file:
        YAML(typ="safe").dump({"tasks": {"erd": None, "other": None}, **config}, file)
    return load(folder / "adaptd.yaml", environ={})


def judged_at(folder: Path, url: str, **more: Any) -> list[Check]:
    return check_services(config_of(folder, {"gate": {"judge": {"url": url, "model": "m", **more}}}))


def test_a_judge_that_nothing_answers_for_is_one_failed_check(tmp_path: Path, nowhere: str) -> None:
    (check,) = judged_at(tmp_path, f"{nowhere}/v1")
    assert (check.name, check.state, check.exit_code) == ("judge", "fail", 4)
    assert (
        f"no answer from the judge at {nowhere}/v1 (ConnectError); start it, or correct gate.judge.url" in check.words
    )


def test_a_key_of_the_judge_that_is_nowhere_is_a_failed_check(tmp_path: Path, nowhere: str) -> None:
    (file,) = judged_at(tmp_path, nowhere, key_file="none.key")
    assert (file.state, file.exit_code) == ("fail", 3)
    assert f"gate.judge.key_file: {tmp_path / 'none.key'} cannot be read" in file.words
    (variable,) = judged_at(tmp_path, nowhere, key_variable="NO_SUCH_JUDGE_KEY")
    assert "has no NO_SUCH_JUDGE_KEY" in variable.words


def test_a_judge_that_answers_is_well_and_was_asked_nothing(tmp_path: Path) -> None:
    with judging(lambda *_: "A") as server:
        (check,) = judged_at(tmp_path, server.url)
        assert (check.state, server.bodies) == ("ok", [])


def test_a_judge_that_the_gate_does_not_ask_is_left_alone(tmp_path: Path, nowhere: str) -> None:
    gate = {"enabled": False, "judge": {"url": nowhere, "model": "m"}}
    assert check_services(config_of(tmp_path, {"gate": gate})) == []


def test_a_validators_service_is_looked_for_and_scores_nothing(tmp_path: Path, nowhere: str) -> None:
    def task(url: str) -> dict[str, Any]:
        return {"tasks": {"erd": {"validator": {"name": "http", "settings": {"url": url}}}}}

    (away,) = check_services(config_of(tmp_path, task(nowhere)))
    assert (away.name, away.state, away.exit_code) == ("validator", "fail", 4)
    assert f"{nowhere} does not answer (ConnectError)" in away.words
    with ScoreService() as service:
        (there,) = check_services(config_of(tmp_path, task(service.url)))
        assert (there.state, service.asked) == ("ok", [])
