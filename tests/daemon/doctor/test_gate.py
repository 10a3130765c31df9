"""What the doctor says of what each task's gate could detect."""

from __future__ import annotations

from pathlib import Path

from daemon.config import Config, load
from daemon.doctor.checks import Check
from daemon.doctor.gate import check_gate
from storage.records import Message
from storage.store import Store
from tests.storage.makers import example, keep


def config_of(folder: Path, tasks: str) -> Config:
    (folder / "adaptd.yaml").write_text(
        f"storage: {{url: 'sqlite:///{folder}/adaptd.db'}}\ngate: {{retention: 'off'}}\ntasks: {tasks}\n"
    )
    return load(folder / "adaptd.yaml", environ={})


def held_back(store: Store, task: str, count: int) -> None:
    prompts = [(Message("user", f"Draw Thing{at}"),) for at in range(count)]
    examples = [example(f"{task}{at}", task=task, messages=prompt) for at, prompt in enumerate(prompts)]
    store.write(lambda tx: keep(tx, *examples, fold="gate"))


def found(folder: Path, tasks: str) -> dict[str, Check]:
    return {check.name: check for check in check_gate(config_of(folder, tasks))}


def test_a_gate_that_can_judge_is_well_and_one_with_too_few_prompts_is_a_warning(tmp_path: Path) -> None:
    with Store.open(config_of(tmp_path, "{erd: }").storage.url) as store:
        held_back(store, "erd", 40)
        held_back(store, "few", 3)
    checks = found(tmp_path, "{erd: , few: , none: }")
    assert {name: check.state for name, check in checks.items()} == {
        "gate of erd": "ok",
        "gate of few": "warn",
        "gate of none": "warn",
    }
    assert "detects a gain of" in checks["gate of erd"].words
    assert "3 different prompts of the 20 that are wanted: too few to judge anything, so" in checks["gate of few"].words


def test_tasks_that_only_the_store_can_name_are_looked_at_where_they_are_learned(tmp_path: Path) -> None:
    with Store.open(config_of(tmp_path, "{erd: }").storage.url) as store:
        held_back(store, "found", 40)
    assert found(tmp_path, "{'*': , erd: }").keys() == {"gate of erd", "gate of found"}
    assert found(tmp_path, "{erd: }").keys() == {"gate of erd"}


def test_without_a_store_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert found(tmp_path, "{erd: }") == {}


def test_a_gate_that_is_off_is_a_warning(tmp_path: Path) -> None:
    config = config_of(tmp_path, "{erd: {gate: {enabled: false}}}")
    Store.open(config.storage.url).close()
    (check,) = check_gate(config)
    assert (check.state, "promoted unseen" in check.words) == ("warn", True)
