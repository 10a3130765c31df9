"""The contract of daemon and worker: what is written can be read, and what is broken is said without quoting it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from learners.job import (
    PLAN,
    PROGRESS,
    ROWS,
    AnswerPair,
    Base,
    Compared,
    Contender,
    EngineAddress,
    EvaluateJob,
    EvaluateResult,
    JudgedAnswer,
    Likelihood,
    Phase,
    PlanStep,
    Progress,
    Prompt,
    Start,
    TrainJob,
    TrainResult,
    ValidatorChoice,
)
from learners.job_files import (
    JobFileBroken,
    append_progress,
    last_progress,
    read_answers,
    read_job,
    read_plan,
    read_prompts,
    read_result,
    read_rows,
    write_answers,
    write_job,
    write_plan,
    write_prompts,
    write_result,
    write_rows,
)
from learners.job_schemas import job_schemas
from storage.records import Message, Origin, Row

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
TRAIN = TrainJob(
    task="erd",
    update_id=3,
    candidate="erd@v4",
    phases=(Phase(method="sft", settings={"steps": 5}, rows=3, dev_rows=0), Phase(method="dpo")),
    seed=1,
    base=Base(path="/models/small", hash="ab"),
    start=Start(mode="champion", adapter_path="/artifacts/erd@v3"),
    time_limit_s=60.0,
)
EVALUATE = EvaluateJob(
    task="erd",
    update_id=3,
    engine=EngineAddress(url="http://127.0.0.1:1"),
    candidate=Contender(name="erd@v4", path="/jobs/7/adapter"),
    champion=Contender(name="erd@v0"),
    validator=ValidatorChoice(name="mermaid_erd"),
)
ANSWER = JudgedAnswer(text="yes", finish_reason="stop", tokens=2, score=0.5, checks={"parses": True})
COMPARED = Compared(chosen="no", rejected="perhaps")
MEASURED = ANSWER.model_copy(update={"chosen": Likelihood(nll=2.5, tokens=3)})
PAIR = AnswerPair(id="p1", weight=0.5, candidate=MEASURED, champion=ANSWER, target="no", pair=COMPARED, user=4)
PROMPT = Prompt(id="p1", messages=(Message("user", "really?"),), target="no", pair=COMPARED, weight=0.5, user=4)


def a_row(weight: float = 1.0) -> Row:
    return Row(
        messages=(Message("system", "be brief"), Message("user", "hello")),
        completion="secret words",
        role="target",
        signal=1.0,
        reward=1.0,
        weight=weight,
        origin=Origin("i1", 2),
        user_id="alice",
        effective_at=NOW,
    )


@pytest.mark.parametrize("job", [TRAIN, EVALUATE], ids=["train", "evaluate"])
def test_a_job_is_read_as_it_was_written(tmp_path: Path, job: TrainJob | EvaluateJob) -> None:
    write_job(tmp_path, job)
    assert read_job(tmp_path) == job


def test_rows_are_read_as_they_were_written_but_name_no_user(tmp_path: Path) -> None:
    write_rows(tmp_path / ROWS, [a_row(), a_row(0.25)])
    found = read_rows(tmp_path / ROWS)
    assert [row.weight for row in found] == [1.0, 0.25]
    assert {row.user_id for row in found} == {None}
    assert found[0].messages == a_row().messages
    assert b"alice" not in (tmp_path / ROWS).read_bytes()


@pytest.mark.parametrize("weight", [-0.5, float("inf")])
def test_a_weight_that_is_negative_or_infinite_is_refused(tmp_path: Path, weight: float) -> None:
    write_rows(tmp_path / ROWS, [a_row(), a_row(1.0)])
    lines = (tmp_path / ROWS).read_text().replace('"weight":1.0', f'"weight":{weight:g}'.replace("inf", "1e999"))
    (tmp_path / ROWS).write_text(lines)
    with pytest.raises(JobFileBroken, match="line 1"):
        read_rows(tmp_path / ROWS)


def test_rows_with_line_separators_inside_stay_one_line(tmp_path: Path) -> None:
    row = Row(**{**{f: getattr(a_row(), f) for f in a_row().__dataclass_fields__}, "completion": "a\u2028b\x85c\nd"})
    write_rows(tmp_path / ROWS, [row])
    assert read_rows(tmp_path / ROWS)[0].completion == "a\u2028b\x85c\nd"


def test_plan_prompts_and_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    planned = [PlanStep(step=0, phase="sft", rows=(0, 2), stage="easy"), PlanStep(step=1, phase="dpo", rows=(3,))]
    write_plan(tmp_path, planned)
    write_prompts(tmp_path, [PROMPT])
    write_answers(tmp_path, [PAIR])
    assert list(read_plan(tmp_path)) == planned
    assert read_prompts(tmp_path) == (PROMPT,)
    assert read_answers(tmp_path) == (PAIR,)


def test_an_attempt_without_a_result_has_none(tmp_path: Path) -> None:
    assert read_result(tmp_path) is None
    result = TrainResult(outcome="trained", reason="done", candidate="erd@v4", files={"a": "b"})
    write_result(tmp_path, result)
    assert read_result(tmp_path) == result
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_progress_skips_a_line_that_is_still_being_written(tmp_path: Path) -> None:
    assert last_progress(tmp_path) is None
    append_progress(tmp_path, Progress(at=NOW, done=1, total=9))
    append_progress(tmp_path, Progress(at=NOW, done=2, total=9, loss=1.5))
    with (tmp_path / PROGRESS).open("ab") as file:
        file.write(b'{"at":"2026-01')
    found = last_progress(tmp_path)
    assert found is not None
    assert (found.done, found.loss) == (2, 1.5)


def test_a_broken_file_is_named_with_its_line_and_not_quoted(tmp_path: Path) -> None:
    (tmp_path / PLAN).write_text('{"step":0,"phase":"sft","rows":[1]}\n{"step":1,"phase":"sft","rows":"secret"}\n')
    with pytest.raises(JobFileBroken) as caught:
        read_plan(tmp_path)
    assert "plan.jsonl, line 2: rows" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(JobFileBroken, match=r"job\.json cannot be read"):
        read_job(tmp_path)


def test_a_job_of_another_contract_is_refused(tmp_path: Path) -> None:
    write_job(tmp_path, TRAIN)
    path = tmp_path / "job.json"
    path.write_text(path.read_text().replace('"contract": 1', '"contract": 2'))
    with pytest.raises(JobFileBroken, match="contract"):
        read_job(tmp_path)


def test_the_committed_schemas_are_what_the_models_say() -> None:
    """Mend with `make docs`."""
    committed = {path.name: json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")}
    assert {name: committed.get(name) for name in job_schemas()} == job_schemas()


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("job.train.json", TRAIN.model_dump(mode="json")),
        ("job.evaluate.json", EVALUATE.model_dump(mode="json")),
        ("prompts.json", PROMPT.model_dump(mode="json")),
        ("answers.json", PAIR.model_dump(mode="json")),
        ("progress.json", Progress(at=NOW, done=1, total=2).model_dump(mode="json")),
        (
            "result.train.json",
            TrainResult(outcome="failed", reason="r", candidate="c").model_dump(mode="json"),
        ),
        ("result.evaluate.json", EvaluateResult(outcome="evaluated", reason="r").model_dump(mode="json")),
    ],
)
def test_what_is_written_obeys_its_schema(name: str, document: dict[str, Any]) -> None:
    validator = Draft202012Validator(job_schemas()[name])
    assert list(validator.iter_errors(document)) == []
    assert list(validator.iter_errors({**document, "unforeseen": 1})) != []


def test_a_written_row_obeys_its_schema(tmp_path: Path) -> None:
    write_rows(tmp_path / ROWS, [a_row()])
    document = json.loads((tmp_path / ROWS).read_text())
    assert list(Draft202012Validator(job_schemas()["rows.json"]).iter_errors(document)) == []
    del document["completion"]
    assert list(Draft202012Validator(job_schemas()["rows.json"]).iter_errors(document)) != []
