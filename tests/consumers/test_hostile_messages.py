"""What must not get in: each is refused with a stable reason that holds no user text."""

import json
from typing import Any

import pytest

from consumers.events import LimitSettings
from tests.consumers.wires import event, fields, read, reason, wire_bytes


def raw(kind: str, name: str, literal: str) -> bytes:
    """An event in which one field is written literally, as no JSON library would."""
    message = fields(kind)
    message.pop(name, None)
    return json.dumps(message)[:-1].encode() + f', "{name}": {literal}}}'.encode(errors="surrogatepass")


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 400])
def test_numbers_that_are_none(literal: str) -> None:
    assert reason(raw("validation", "score", literal)) == "score: not a finite number"
    assert reason(raw("rating", "rating", literal)) == "rating: not a finite number"
    assert reason(raw("thumb", "propensity", literal)) == "propensity: not a finite number"


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999", "[[NaN]]", '{"a": -1e999}'])
def test_numbers_that_are_none_in_loose_fields(literal: str) -> None:
    assert reason(raw("thumb", "context", f'{{"x": {literal}}}')) == "context: a number that is not finite"
    assert reason(raw("thumb", "sampling", f'{{"x": {literal}}}')) == "sampling: a number that is not finite"
    assert reason(raw("thumb", "unheard_of", literal)) == "context: a number that is not finite"


def test_huge_integers() -> None:
    assert reason(raw("thumb", "context", f'{{"x": {2**63}}}')) == "context: an integer beyond 64 bits"
    assert reason(raw("thumb", "context", f'{{"x": {-(2**63) - 1}}}')) == "context: an integer beyond 64 bits"
    assert reason(raw("thumb", "context", f'{{"x": {"9" * 5000}}}')) == "a number with too many digits"
    assert event("thumb", context={"x": 2**63 - 1}).context == {"x": 2**63 - 1}


@pytest.mark.parametrize("name", ["response", "unheard_of", "event_id"])
@pytest.mark.parametrize("literal", ['"\\ud800"', '"\\ud800 and on"', '"\\udc00\\ud800"', '"a\\uDFFFb"'])
def test_escaped_lone_surrogates(name: str, literal: str) -> None:
    where = "" if name == "unheard_of" else f"{name}: "
    assert reason(raw("thumb", name, literal)) == f"{where}a lone surrogate"


def test_bytes_that_are_not_utf_8() -> None:
    assert reason(raw("thumb", "response", '"\ud800"')) == "not UTF-8"
    assert reason(wire_bytes("thumb").replace(b"Hello", b"\xff\xfe")) == "not UTF-8"
    assert reason(wire_bytes("thumb").decode().encode("utf-16")) == "not UTF-8"


def test_paired_surrogates_are_one_character() -> None:
    assert read(raw("thumb", "response", '"\\ud83d\\ude00"')).event.response == "\U0001f600"


@pytest.mark.parametrize(
    "changes",
    [
        {"response": "a\0b"},
        {"prompt": "\0"},
        {"context": {"a": [{"b": "\0"}]}},
        {"context": {"\0": 1}},
        {"unheard_of": "\0"},
        {"sampling": {"stop": ["\0"]}},
        {"prompt": ..., "messages": [{"role": "user", "content": "\0"}]},
        {"prompt": ..., "messages": [{"role": "user", "content": [{"type": "text", "text": "\0"}]}]},
        {"prompt": ..., "messages": [{"role": "assistant", "tool_calls": [{"id": "\0"}]}]},
    ],
)
def test_nul_in_a_text(changes: dict[str, Any]) -> None:
    (where,) = [f"{name}: " for name, value in changes.items() if value is not ... and name != "unheard_of"] or [""]
    assert reason(wire_bytes("thumb", **changes)) == f"{where}NUL in a text"


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert event("thumb", response="\\u0000").response == "\\u0000"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-01-02T10:00:00", "no time zone"),
        ("2026-01-02", "not an RFC 3339 time"),
        ("1767348000", "not an RFC 3339 time"),
        ("20260102T100000Z", "not an RFC 3339 time"),
        ("yesterday", "not an RFC 3339 time"),
        ("", "not an RFC 3339 time"),
        ("2026-13-02T10:00:00Z", "no such time"),
        ("2026-02-30T10:00:00Z", "no such time"),
        ("2026-01-02T25:00:00Z", "no such time"),
        ("2026-01-02T10:00:00+25:00", "no such time"),
        ("0000-01-01T00:00:00Z", "no such time"),
        ("0001-01-01T00:00:00+14:00", "no such time"),
        ("9999-12-31T23:59:59-12:00", "no such time"),
        ("1969-12-31T23:59:59Z", "outside the years 1970 to 2199"),
        ("2200-01-01T00:00:00Z", "outside the years 1970 to 2199"),
        ("２０２６-01-02T10:00:00Z", "not an RFC 3339 time"),
    ],
)
def test_times_that_say_nothing(text: str, words: str) -> None:
    assert reason(wire_bytes("thumb", occurred_at=text)) == f"occurred_at: {words}"


@pytest.mark.parametrize(
    "text", ["2026-01-02t10:00:00z", "2026-01-02 10:00:00+00:00", "2026-01-02T10:00:00.123456789Z"]
)
def test_times_in_rfc_3339_s_other_spellings_are_read(text: str) -> None:
    assert event("thumb", occurred_at=text).occurred_at.hour == 10


@pytest.mark.parametrize(
    ("kind", "name", "value", "words"),
    [
        ("rating", "rating", True, "rating: not a number"),
        ("rating", "rating", "4", "rating: not a number"),
        ("rating", "scale", {"min": False, "max": 5}, "scale.min: not a number"),
        ("rating", "scale", [1, 5], "scale: not an object"),
        ("rating", "scale", ..., "scale: missing"),
        ("rating", "scale", {"min": 1}, "scale.max: missing"),
        ("validation", "score", True, "score: not a number"),
        ("validation", "score", ..., "score: missing"),
        ("validation", "passed", 1, "passed: not true or false"),
        ("validation", "checks", {"my own name": 1}, "checks: not true or false"),
        ("validation", "checks", ["a"], "checks: not an object"),
        ("thumb", "thumb", True, "thumb: not one of the allowed words"),
        ("thumb", "thumb", 1, "thumb: not one of the allowed words"),
        ("thumb", "propensity", 0, "propensity: out of range"),
        ("thumb", "propensity", 1.5, "propensity: out of range"),
        ("thumb", "propensity", True, "propensity: not a number"),
        ("thumb", "occurred_at", 1767348000, "occurred_at: not a text"),
        ("thumb", "occurred_at", ..., "occurred_at: missing"),
        ("thumb", "event_id", 7, "event_id: not a text"),
        ("thumb", "event_id", None, "event_id: not a text"),
        ("thumb", "event_id", ..., "event_id: missing"),
        ("thumb", "user_id", ["u"], "user_id: not a text"),
        ("thumb", "context", "x", "context: not an object"),
        ("thumb", "context", [], "context: not an object"),
        ("thumb", "schema", 2, "schema: not 1, the only one known"),
        ("thumb", "schema", 0, "schema: not 1, the only one known"),
        ("thumb", "schema", True, "schema: not a whole number"),
        ("thumb", "schema", "1", "schema: not a whole number"),
        ("thumb", "kind", "applause", "kind: not one of the eight kinds"),
        ("thumb", "kind", 3, "kind: not one of the eight kinds"),
        ("thumb", "kind", ..., "kind: missing"),
        ("correction", "corrected", ..., "corrected: missing"),
        ("preference", "tie", "no", "tie: not true or false"),
        ("retraction", "retracts", "e0", "retracts: not an object"),
    ],
)
def test_wrong_types_and_missing_fields(kind: str, name: str, value: Any, words: str) -> None:
    assert reason(wire_bytes(kind, **{name: value})) == words


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ("hello", "messages: not a list"),
        ([], "messages: empty"),
        (["hello"], "messages.0: not an object"),
        ([{"content": "x"}], "messages.0.role: missing"),
        ([{"role": "oracle", "content": "x"}], "messages.0.role: not one of the allowed words"),
        ([{"role": "user", "content": 3}], "messages.0.content: not a text"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "messages.0.content: not a text"),
        ([{"role": "user", "content": "x", "name": "a\nb"}], "messages.name: control characters"),
        ([{"role": "user", "content": "x"}] * 257, "messages: 257, more than 256"),
    ],
)
def test_chats_that_are_none(messages: Any, words: str) -> None:
    assert reason(wire_bytes("thumb", prompt=..., messages=messages)) == words


def test_prompt_and_messages_at_once() -> None:
    data = wire_bytes("thumb", messages=[{"role": "user", "content": "x"}])
    assert reason(data) == "prompt and messages: give one of the two"


@pytest.mark.parametrize(("low", "high"), [(5, 1), (3, 3), (-1.7e308, 1.7e308)])
def test_scales_without_a_span(low: float, high: float) -> None:
    scale = {"min": low, "max": high}
    assert reason(wire_bytes("rating", rating=3, scale=scale)) == "scale: min is not below max"
    assert reason(wire_bytes("validation", score=3, scale=scale)) == "scale: min is not below max"


@pytest.mark.parametrize("rating", [0.99, 5.01, -3, 85])
def test_a_rating_outside_its_scale(rating: float) -> None:
    assert reason(wire_bytes("rating", rating=rating)) == "rating: outside its scale"


def test_a_score_of_85_without_a_scale() -> None:
    assert reason(wire_bytes("validation", score=85)) == "score: outside 0 to 1, and no scale with it"
    assert reason(wire_bytes("validation", score=-0.1)) == "score: outside 0 to 1, and no scale with it"
    assert reason(wire_bytes("validation", score=185, scale={"min": 0, "max": 100})) == "score: outside its scale"


@pytest.mark.parametrize("data", [b"[" * 10_000, b'{"a":' * 10_000, b"[" * 10_000 + b"]" * 10_000, b"[" * 1_000_000])
def test_brackets_without_end(data: bytes) -> None:
    assert reason(data) in {"nested deeper than 16", "not JSON"}


@pytest.mark.parametrize("name", ["context", "sampling"])
def test_nesting_is_counted_from_the_message_down(name: str) -> None:
    def nested(levels: int) -> dict[str, Any]:
        return {"a": nested(levels - 1)} if levels > 1 else {"a": 1}

    assert reason(wire_bytes("thumb", **{name: nested(16)})) == "nested deeper than 16"
    assert event("thumb", **{name: nested(15)})


def test_deep_nesting_in_unknown_fields_and_tool_calls() -> None:
    deep: Any = 1
    for _ in range(150):
        deep = [deep]
    assert reason(wire_bytes("thumb", unheard_of=deep)) == "nested deeper than 16"
    for extra in ({"tool_calls": [{"a": deep}]}, {"unheard_of": deep}):
        messages = [{"role": "user", "content": "x", **extra}]
        assert reason(wire_bytes("thumb", prompt=..., messages=messages)) == "nested deeper than 16"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n\t ", "empty"),
        (b"null", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b'"thumb"', "not a JSON object"),
        (b"3", "not a JSON object"),
        (b"{}", "kind: missing"),
        (b"{", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"{'kind': 'thumb'}", "not JSON"),
        (b'{"kind": "thumb",}', "not JSON"),
        (b"\x00\x01\x02", "not JSON"),
        (b"\x1f\x8b\x08\x00", "not UTF-8"),
    ],
)
def test_what_is_no_object(data: bytes, words: str) -> None:
    assert reason(data) == words


@pytest.mark.parametrize(
    "name", ["event_id", "interaction_id", "user_id", "app", "model", "adapter", "finish_reason", "criterion", "task"]
)
def test_ids_and_names_that_cannot_be_shown(name: str) -> None:
    assert reason(wire_bytes("thumb", **{name: ""})) == f"{name}: empty"
    assert reason(wire_bytes("thumb", **{name: "  "})) == f"{name}: empty"
    assert reason(wire_bytes("thumb", **{name: "x" * 257})) == f"{name}: 257 characters, more than 256"
    for hidden in ("a\nb", "a\x1b[31mb", "a\u202eb", "a\u2028b", "\x7f"):
        assert reason(wire_bytes("thumb", **{name: hidden})) == f"{name}: control characters"
    assert event("thumb", **{name: "x" * 256})


def test_ids_may_be_in_any_script() -> None:
    assert event("thumb", user_id="Zoë 日本 user").user_id == "Zoë 日本 user"


@pytest.mark.parametrize("task", ["../etc", "/etc", "a//b", "a/", "a@v3", "a b", ".hidden", "a/../b", "ä", "a\\b"])
def test_tasks_that_would_be_a_path_or_a_version(task: str) -> None:
    assert reason(wire_bytes("thumb", task=task)).startswith("task: only ASCII letters")


@pytest.mark.parametrize("task", ["erd", "support-reply", "erd/acme", "a.b_c/1"])
def test_tasks_as_people_write_them(task: str) -> None:
    assert event("thumb", task=task).task == task


@pytest.mark.parametrize(
    ("kind", "name"),
    [("thumb", "response"), ("thumb", "prompt"), ("correction", "corrected"), ("preference", "chosen")],
)
def test_texts_that_are_too_long(kind: str, name: str) -> None:
    limits = LimitSettings(max_text_chars=500)
    assert reason(wire_bytes(kind, **{name: "x" * 501}), limits) == f"{name}: 501 characters, more than 500"
    assert read(wire_bytes(kind, **{name: "x" * 500}), limits=limits)


def test_a_turn_of_a_chat_that_is_too_long() -> None:
    chat = [{"role": "user", "content": "x" * 501}]
    words = "messages: 501 characters, more than 500"
    assert reason(wire_bytes("thumb", prompt=..., messages=chat), LimitSettings(max_text_chars=500)) == words


def test_messages_that_are_too_big() -> None:
    data = wire_bytes("thumb", response="x" * 900)
    assert reason(data, LimitSettings(max_bytes=900)) == f"{len(data)} bytes, more than 900"


@pytest.mark.parametrize("name", ["context", "sampling"])
def test_loose_fields_that_are_too_big(name: str) -> None:
    assert reason(wire_bytes("thumb", **{name: {"a": "x" * 16_377}})) == f"{name}: 16385 bytes, more than 16384"
    assert event("thumb", **{name: {"a": "x" * 16_376}})


def test_unknown_fields_count_against_the_context() -> None:
    data = wire_bytes("thumb", comment="x" * 10_000, context={"note": "x" * 10_000})
    assert reason(data) == "context: 20024 bytes, more than 16384"


def test_too_many_checks() -> None:
    data = wire_bytes("validation", checks={str(number): True for number in range(257)})
    assert reason(data) == "checks: 257, more than 256"


def test_a_pair_of_equal_texts_is_a_tie_or_nothing() -> None:
    assert "no tie" in reason(wire_bytes("preference", chosen="same", rejected="same"))
    assert event("preference", chosen="same", rejected="same", tie=True)


@pytest.mark.parametrize("retracts", [{}, {"event_id": "e", "interaction_id": "i"}, {"event_id": None}])
def test_a_retraction_names_one_target(retracts: dict[str, Any]) -> None:
    words = "retracts: give event_id or interaction_id, one of the two"
    assert reason(wire_bytes("retraction", retracts=retracts)) == words


def test_feedback_that_cannot_stand_alone() -> None:
    no_response = "interaction_id: missing, and no response to stand alone"
    no_prompt = "interaction_id: missing, and no prompt or messages to stand alone"
    for kind in ("thumb", "rating", "validation", "correction"):
        assert reason(wire_bytes(kind, interaction_id=..., response=...)) == no_response
        assert reason(wire_bytes(kind, interaction_id=..., prompt=...)) == no_prompt
    for kind in ("preference", "demonstration"):
        assert reason(wire_bytes(kind, interaction_id=..., prompt=...)) == no_prompt


def test_an_interaction_without_prompt_or_response() -> None:
    words = "interaction: prompt or messages, and response, are needed"
    assert reason(wire_bytes("interaction", prompt=...)) == words
    assert reason(wire_bytes("interaction", response=...)) == words
    assert reason(wire_bytes("interaction", prompt="")) == "prompt: empty"


def test_reasons_hold_no_text_of_the_sender() -> None:
    data = wire_bytes("validation", checks={"secret": "secret"}, scale={"secret": 1}, secret={"secret": float("nan")})
    assert "secret" not in reason(data)
    messages = [{"role": "secret", "secret": "secret"}]
    assert "secret" not in reason(wire_bytes("thumb", prompt=..., messages=messages))
