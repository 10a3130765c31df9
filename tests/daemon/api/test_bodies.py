"""How a request's body is cut into events: byte for byte, and never one for another's sake."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daemon.api.bodies import MOST_EVENTS, array_items, read_body
from daemon.errors import TooLarge, UsageError

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def events(body: bytes, **headers: str) -> list[bytes]:
    return read_body(body, {name.replace("_", "-"): value for name, value in headers.items()}).events


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1}', [b'{"a": 1}']),
        (b'\xef\xbb\xbf {"a": 1}\n', [b'{"a": 1}']),
        (b'{"a":\n  {"b": "}"}\n}\n', [b'{"a":\n  {"b": "}"}\n}']),
        (b'{"a": 1}\r\n\r\n{"b": 2}\r\n', [b'{"a": 1}', b'{"b": 2}']),
        (b'[{"a": 1}, {"b": [2, 3]}]', [b'{"a": 1}', b'{"b": [2, 3]}']),
        (b' [ {"a": "]"} ,\n7 ] ', [b'{"a": "]"}', b"7"]),
        (b"nonsense", [b"nonsense"]),
        (b'{"a":', [b'{"a":']),
    ],
    ids=str,
)
def test_what_a_body_holds(body: bytes, expected: list[bytes]) -> None:
    assert events(body) == expected


@pytest.mark.parametrize("bad", [b'{"a": NaN}', b'{"a": "\\ud800"}', b'{"a": "\xff"}', b'{"a": 1' + b"0" * 9000 + b"}"])
def test_a_piece_that_cannot_be_read_leaves_the_others_whole(bad: bytes) -> None:
    good = b'{"b": "\\u00e9"}'
    assert events(b"[" + b",".join([good, bad, good]) + b"]") == [good, bad, good]
    assert events(b"\n".join([bad, good, bad])) == [bad, good, bad]


def test_deep_nesting_costs_the_one_that_nests() -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    assert events(b"[" + deep + b',{"b":1}]') == [deep, b'{"b":1}']


def test_a_broken_first_line_does_not_swallow_the_rest() -> None:
    assert events(b'{"a": {\n{"b": 1}\n{"c": 1}') == [b'{"a": {', b'{"b": 1}', b'{"c": 1}']
    assert events(b'["a"\n{"b": 1}\n') == [b'["a"', b'{"b": 1}']
    assert events(b'[1]\n{"b": 1}\n') == [b"[1]", b'{"b": 1}']


def test_lines_are_lines_where_the_content_type_says_so() -> None:
    assert events(b'[{"a": 1},\n{"b": 1}]', content_type="application/x-ndjson; charset=utf-8") == [
        b'[{"a": 1},',
        b'{"b": 1}]',
    ]


@pytest.mark.parametrize("body", [b'["' + b'\\"' * 200_000, b'["' + b"\\" * 400_001, b"[" * 400_000, b'["a' * 100_000])
def test_no_body_takes_long_to_cut(body: bytes) -> None:
    assert events(body) == [body]


@pytest.mark.parametrize("body", [b"", b" \n\n", b"[]", b" [ ] ", b"\xef\xbb\xbf"])
def test_a_body_without_events_says_what_to_send(body: bytes) -> None:
    with pytest.raises(UsageError, match="no event in it; send one JSON object, an array of them, or one a line"):
        events(body)


def test_too_many_events_are_turned_away_whole() -> None:
    most = b"[" + b",".join([b"{}"] * MOST_EVENTS) + b"]"
    assert len(events(most)) == MOST_EVENTS
    with pytest.raises(TooLarge, match="5001 events in one request; send at most 5000"):
        events(most.replace(b"[", b"[{},"))


def test_a_cloudevent_is_one_with_its_headers() -> None:
    sent = read_body(
        b'{"a":\n1}', {"ce-specversion": "1.0", "ce-id": "x", "content-type": "text/json", "accept": "*/*"}
    )
    assert sent.events == [b'{"a":\n1}']
    assert sent.headers == {"ce-specversion": b"1.0", "ce-id": b"x", "content-type": b"text/json"}
    structured = read_body(b"{}", {"content-type": "application/cloudevents+json; charset=utf-8", "host": "x"})
    assert list(structured.headers) == ["content-type"]


def test_a_batch_of_cloudevents_is_so_many_events() -> None:
    sent = read_body(b"[{},{}]", {"content-type": "application/cloudevents-batch+json"})
    assert (sent.events, dict(sent.headers)) == ([b"{}", b"{}"], {})


@settings(max_examples=50)
@given(st.lists(values, min_size=1, max_size=5), st.sampled_from([None, 2]), st.booleans())
@example([""], None, False)
def test_the_items_of_any_array_are_what_json_says(items: list[Any], indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(items, indent=indent, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    found = array_items(text)
    assert found is not None
    assert [json.dumps(json.loads(each)) for each in found] == [json.dumps(each) for each in items]


@given(st.binary(max_size=40) | st.text('[]{},"\\ \n1', max_size=12).map(str.encode))
def test_any_bytes_can_be_cut(body: bytes) -> None:
    try:
        found = events(body)
    except UsageError:
        return
    assert all(each in body for each in found)
