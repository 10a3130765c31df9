import base64
import json
from typing import Any

import pytest

from tests.consumers.wires import event, fields, read, reason, wire_bytes

STRUCTURED = {"content-type": b"application/cloudevents+json; charset=UTF-8"}
ATTRIBUTES = {
    "specversion": "1.0",
    "id": "e1",
    "source": "shop",
    "type": "dev.adaptd.thumb",
    "time": "2026-01-02T10:00:00Z",
}


def data_fields(**changes: Any) -> dict[str, Any]:
    """What is left for the data when the envelope says id, time, source and kind."""
    return fields("thumb", event_id=..., occurred_at=...) | changes


def structured(**changes: Any) -> bytes:
    data = {name: value for name, value in data_fields().items() if name != "kind"}
    whole = {**ATTRIBUTES, "data": data, **changes}
    return json.dumps({name: value for name, value in whole.items() if value is not ...}).encode()


def headers(prefix: str, **changes: Any) -> dict[str, bytes]:
    whole = {**ATTRIBUTES, **changes}
    return {f"{prefix}{name}": value.encode() for name, value in whole.items() if value is not ...}


BARE = event("thumb", app="shop")


def test_the_structured_mode_is_the_same_event_as_the_bare_one() -> None:
    assert read(structured(), STRUCTURED).event == BARE


def test_the_structured_mode_is_known_without_headers_too() -> None:
    assert read(structured()).event == BARE


@pytest.mark.parametrize("prefix", ["ce_", "ce-", "CE_", "Ce-"])
def test_the_binary_mode_is_the_same_event_as_the_bare_one(prefix: str) -> None:
    data = json.dumps(data_fields()).encode()
    assert read(data, headers(prefix)).event == BARE


def test_headers_over_http_are_percent_encoded_and_in_kafka_not() -> None:
    data = json.dumps(data_fields()).encode()
    assert read(data, headers("ce-", source="caf%C3%A9")).event.app == "café"
    assert read(data, headers("ce_", source="caf%C3%A9")).event.app == "caf%C3%A9"


def test_data_as_base64_is_opened() -> None:
    data = base64.b64encode(json.dumps(data_fields()).encode()).decode()
    assert read(structured(data=..., data_base64=data), STRUCTURED).event == BARE


def test_nul_hidden_in_base64_is_found() -> None:
    data = base64.b64encode(json.dumps(data_fields(response="\0")).encode()).decode()
    assert reason(structured(data=..., data_base64=data), headers=STRUCTURED) == "response: NUL in a text"


def test_what_the_data_says_of_time_and_app_stays() -> None:
    data = json.dumps(data_fields(app="till", occurred_at="2026-01-01T00:00:00Z")).encode()
    found = read(data, headers("ce_")).event
    assert (found.app, found.occurred_at.day) == ("till", 1)


def test_other_attributes_are_not_kept() -> None:
    assert read(structured(traceparent="00-ab", subject="x"), STRUCTURED).event == BARE


def test_a_bare_event_beside_unrelated_headers_is_bare() -> None:
    assert read(wire_bytes("thumb", app="shop"), {"traceparent": b"\xff", "content-type": b"text/plain"}).event == BARE


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"specversion": "0.3"}, "cloudevents: specversion is not 1.0"),
        ({"id": ""}, "cloudevents: id missing"),
        ({"id": 7}, "cloudevents: id is not a text"),
        ({"source": ...}, "cloudevents: source missing"),
        ({"type": ...}, "cloudevents: type missing"),
        ({"type": "com.example.thumb"}, "cloudevents: type does not begin with dev.adaptd."),
        ({"type": "dev.adaptd.applause"}, "kind: not one of the eight kinds"),
        ({"time": ...}, "occurred_at: missing"),
        ({"time": "2026-01-02T10:00:00"}, "occurred_at: no time zone"),
        ({"data": ...}, "cloudevents: data is not a JSON object"),
        ({"data": [1]}, "cloudevents: data is not a JSON object"),
        ({"data": ..., "data_base64": "%%%"}, "cloudevents: data_base64 is not base64 of JSON"),
        ({"data": ..., "data_base64": 3}, "cloudevents: data_base64 is not base64 of JSON"),
        ({"data": data_fields(event_id="e2")}, "cloudevents: event_id in the data is another one than in the envelope"),
        ({"data": data_fields(kind="rating")}, "cloudevents: kind in the data is another one than in the envelope"),
        ({"data": data_fields(thumb=True)}, "thumb: not one of the allowed words"),
    ],
)
def test_envelopes_that_cannot_be_opened(changes: dict[str, Any], words: str) -> None:
    assert reason(structured(**changes), headers=STRUCTURED) == words


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "empty"), (b"[]", "not a JSON object"), (b"{", "not JSON"), (b'{"a": "\\ud800"}', "a lone surrogate")],
)
def test_structured_messages_that_are_no_object(data: bytes, words: str) -> None:
    assert reason(data, headers=STRUCTURED) == words


def test_a_header_that_is_not_utf_8() -> None:
    broken = {**headers("ce_"), "ce_source": b"\xff"}
    assert reason(json.dumps(data_fields()).encode(), headers=broken) == "cloudevents: a header that is not UTF-8"
    assert reason(b"{}", headers=headers("ce-", source="%ff")) == "cloudevents: a header that is not UTF-8"


def test_a_batch_of_cloudevents_is_refused() -> None:
    batch = {"Content-Type": b"application/cloudevents-batch+json"}
    assert reason(b"[]", headers=batch) == "cloudevents: a batch; send one event a message"
