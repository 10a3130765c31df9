from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from learners.validators import Validated, json_schema, open_validator
from learners.validators.json_schema import MAX_DEPTH, UnusableSchemaError

SCHEMA = {
    "type": "object",
    "required": ["city", "days"],
    "properties": {"city": {"type": "string"}, "days": {"$ref": "#/$defs/count"}, "note": {"type": "string"}},
    "$defs": {"count": {"type": "integer", "minimum": 1}},
}


def judged(answer: str, schema: Any = SCHEMA) -> Validated:
    return open_validator("json_schema", {"schema": schema}).validate("Plan a trip.", answer)


def failed(said: Validated) -> list[str]:
    return [name for name, holds in said.checks.items() if not holds]


def test_there_is_one_sub_check_for_parsing_one_for_the_schema_and_one_for_each_required_property() -> None:
    said = judged('{"city": "Bergen", "days": 3}')
    assert list(said.checks) == ["parses", "valid", "has:city", "has:days"]
    assert said.passed
    assert said.score == 1.0


@pytest.mark.parametrize(
    ("answer", "missing", "score"),
    [
        ('{"city": "Bergen"}', ["valid", "has:days"], 0.5),
        ('{"city": "Bergen", "days": 0}', ["valid", "has:days"], 0.5),
        ('{"city": "Bergen", "days": 3, "note": 4}', ["valid"], 0.75),
        ("[]", ["valid", "has:city", "has:days"], 0.25),
        ('{"city": "Bergen", "days": 3', ["parses", "valid", "has:city", "has:days"], 0.0),
    ],
)
def test_the_score_is_the_share_of_sub_checks_that_hold(answer: str, missing: list[str], score: float) -> None:
    said = judged(answer)
    assert failed(said) == missing
    assert said.score == score


def test_the_answer_may_stand_in_a_fence_but_not_in_a_sentence() -> None:
    answer = '{"city": "Bergen", "days": 3}'
    assert judged(f"```json\n{answer}\n```").passed
    assert judged(f"Here: {answer}").score == 0.0


@pytest.mark.parametrize(
    "answer",
    [
        "NaN",
        "[Infinity]",
        "1e999",
        '{"a": 1, "a": 2}',
        "{'a': 1}",
        "[1,]",
        "9" * 5000,
        "[" * 10_000 + "]" * 10_000,
        "1 2",
    ],
)
def test_what_is_no_strict_json_does_not_parse(answer: str) -> None:
    assert failed(judged(answer, True)) == ["parses", "valid"]


def test_depth_is_bounded_wherever_the_call_comes_from() -> None:
    assert judged("[" * MAX_DEPTH + "]" * MAX_DEPTH, True).passed
    assert not judged("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), True).passed


def test_a_schema_that_never_ends_or_overflows_refuses_instead_of_raising() -> None:
    circle = {"$defs": {"x": {"$ref": "#/$defs/x"}}, "items": {"$ref": "#/$defs/x"}}  # met by lists that hold something
    assert failed(judged("[1]", circle)) == ["valid"]
    assert judged("[]", circle).passed
    assert failed(judged("9" * 400, {"multipleOf": 0.5})) == ["valid"]


def test_a_schema_may_hold_itself_where_values_end() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    assert judged('{"next": {"next": {}}}', tree).passed
    assert failed(judged('{"next": 1}', tree)) == ["valid"]


def test_a_draft_is_honoured() -> None:
    draft_4 = {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": True}
    assert failed(judged("1", draft_4)) == ["valid"]
    assert judged("2", draft_4).passed


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ({"type": "text"}, r"'text' is not valid under any of the given schemas at \$\.type"),
        ({"properties": {"a": {"pattern": "("}}}, "'regex' at "),
        ({"items": {"$ref": "#/$defs/none"}}, "the reference .* leads nowhere"),
        ({"$ref": "http://127.0.0.1:9/schema.json"}, "the reference .* leads nowhere"),
        ({"$ref": "#"}, "its references lead back to where they began"),
        ({"required": ["a"], "allOf": [{"$ref": "#"}]}, "its references lead back to where they began"),
    ],
)
def test_a_schema_that_cannot_work_is_refused_when_it_is_opened(schema: Any, what: str) -> None:
    with pytest.raises(UnusableSchemaError, match=f"^validator json_schema: schema: .*{what}.*; give it"):
        judged("1", schema)


def test_a_schema_file_is_found_from_another_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trip.json").write_text(json.dumps(SCHEMA))
    monkeypatch.chdir(tmp_path)
    settings = json_schema.Settings.model_validate({"schema_file": "trip.json"})
    monkeypatch.chdir("/")
    assert settings.schema_file == tmp_path / "trip.json"
    assert json_schema.open(settings).validate("", '{"city": "Bergen", "days": 3}').passed


def test_settings_survive_the_way_through_a_job_file() -> None:
    settings = json_schema.Settings.model_validate({"schema": SCHEMA})
    assert json_schema.Settings.model_validate_json(settings.model_dump_json(by_alias=True)) == settings


@pytest.mark.parametrize("content", [None, "{", "3", "[" * 100_000])
def test_a_schema_file_that_cannot_be_read_is_named(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "trip.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UnusableSchemaError, match=r"schema_file /.*trip\.json: "):
        open_validator("json_schema", {"schema_file": str(path)})


@pytest.mark.parametrize("settings", [{}, {"schema": True, "schema_file": "trip.json"}, {"schema": 3}])
def test_exactly_one_schema_must_be_given(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        open_validator("json_schema", settings)
