"""The events page shows events that adaptd takes, and its AsyncAPI document is one."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from consumers.decode import decode
from consumers.events import KINDS
from consumers.signals import signal_of
from consumers.similarity import SimilaritySettings
from docs.generate.asyncapi import document
from docs.generate.event_examples import EXAMPLES
from docs.generate.schemas import pages as schema_pages
from storage.records import Event

ASYNCAPI = Path(__file__).resolve().parents[1] / "data" / "asyncapi" / "asyncapi-3.0.0.json"
RECEIVED_AT = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)


def decoded(data: object, headers: dict[str, bytes] | None = None) -> Event:
    found = decode(json.dumps(data).encode(), headers or {}, received_at=RECEIVED_AT)
    assert found.unknown_fields == 0
    return found.event


def test_there_is_an_example_of_every_kind() -> None:
    assert list(EXAMPLES) == list(KINDS)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_decoder_takes_the_example(kind: str) -> None:
    event = decoded(EXAMPLES[kind])
    assert event.kind == kind
    assert event.event_id == EXAMPLES[kind]["event_id"]


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_example_is_the_same_event_in_a_cloudevent_of_either_mode(kind: str) -> None:
    bare = EXAMPLES[kind]
    inner = {name: value for name, value in bare.items() if name not in ("event_id", "occurred_at", "app", "kind")}
    envelope = {
        "specversion": "1.0",
        "id": bare["event_id"],
        "time": bare["occurred_at"],
        "source": bare["app"],
        "type": f"dev.adaptd.{kind}",
    }
    binary = {f"ce_{name}": value.encode() for name, value in envelope.items()}
    whole = {"content-type": b"application/cloudevents+json"}
    packed = {**envelope, "data_base64": base64.b64encode(json.dumps(inner).encode()).decode()}
    assert decoded({**envelope, "data": inner}, whole) == decoded(inner, binary) == decoded(bare)
    assert decoded(packed, whole).content_hash == decoded(bare).content_hash


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_example_has_the_signal_that_its_kind_promises(kind: str) -> None:
    event = decoded(EXAMPLES[kind])
    found = signal_of(event.body, event.response, SimilaritySettings())
    exact = {"rating": 0.75, "thumb": 0.0, "validation": 0.65, "preference": 1.0, "demonstration": 1.0}
    if kind in ("interaction", "retraction"):
        assert found is None
    elif kind == "correction":
        assert found is not None and 0 < found.value < 1
    else:
        assert found is not None and found.value == exact[kind]


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_example_fits_its_json_schema_and_no_other_kind_does(kind: str) -> None:
    schema = json.loads(schema_pages()[f"schemas/event.{kind}.json"])
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert [one for one, example in EXAMPLES.items() if validator.is_valid(example)] == [kind]


def test_the_asyncapi_document_fits_the_official_schema() -> None:
    faults = list(official().iter_errors(document()))
    assert not faults, [f"{fault.json_path}: {fault.message:.200}" for fault in faults]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found.update(asyncapi="2.6.0"),
        lambda found: found["operations"]["readTopic"].update(action="publish"),
        lambda found: found["channels"]["topic"]["messages"].update(bad=3),
        lambda found: found["components"]["schemas"]["WireThumb"].update(type="no type"),
    ],
)
def test_the_official_schema_refuses_a_spoilt_document(spoil: Any) -> None:
    found = json.loads(json.dumps(document()))
    spoil(found)
    assert list(official().iter_errors(found))


@cache
def official() -> Draft7Validator:
    return Draft7Validator(json.loads(ASYNCAPI.read_text(encoding="utf-8")))


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    whole = document()
    for reference in _references(whole):
        found: Any = whole
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    assert len(set(_references(whole))) > len(KINDS)


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for part in value.values() for each in _references(part)]
    return [each for part in value for each in _references(part)] if isinstance(value, list) else []
