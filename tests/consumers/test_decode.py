import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.decode import decode, decode_batch
from consumers.errors import Unreadable
from consumers.events import LimitSettings
from storage.records import KINDS, DeadLetter, Event, Message, Preference, Raw, Retraction, Validation
from tests.consumers.wires import KIND_FIELDS, NOW, event, fields, read, reason, wire_bytes

plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read(kind: str) -> None:
    found = event(kind)
    assert found.kind == kind
    assert found.task == "greet"
    assert found.messages == (Message("user", "Greet me."),)


def test_the_schema_and_the_task_may_be_left_out_where_the_source_has_a_default() -> None:
    data = wire_bytes("thumb", schema=..., task=...)
    assert read(data, default_task="support-reply").event.task == "support-reply"


def test_a_task_in_the_message_wins_over_the_default() -> None:
    assert read(wire_bytes("thumb"), default_task="other").event.task == "greet"


def test_a_missing_task_without_a_default_is_refused() -> None:
    assert reason(wire_bytes("thumb", task=...)) == "task: missing, and the source has no default_task"


def test_null_is_the_same_as_leaving_an_optional_field_out() -> None:
    assert event("preference", response=None, user_id=None, schema=None) == event("preference", user_id=...)


def test_times_become_utc_and_the_effective_time_is_never_after_receipt() -> None:
    early = event("thumb", occurred_at="2026-01-02T12:30:00.5+02:00")
    assert early.occurred_at == datetime(2026, 1, 2, 10, 30, 0, 500_000, tzinfo=UTC)
    assert early.effective_at == early.occurred_at
    late = event("thumb", occurred_at="2026-03-01T00:00:00Z")
    assert late.effective_at == NOW == late.received_at
    assert late.occurred_at > NOW


def test_unknown_fields_go_into_the_context_and_are_counted() -> None:
    found = read(wire_bytes("thumb", comment="nice", rating=3, context={"page": "home"}))
    assert found.event.context == {"comment": "nice", "rating": 3, "page": "home"}
    assert found.unknown_fields == 2


def test_the_context_wins_over_an_unknown_field_of_the_same_name() -> None:
    found = read(wire_bytes("thumb", page="elsewhere", context={"page": "home"}))
    assert found.event.context == {"page": "home"}
    assert found.unknown_fields == 1


def test_unknown_fields_inside_messages_scales_and_targets_are_counted_and_dropped() -> None:
    messages = [{"role": "user", "content": "Greet me.", "refusal": None}]
    found = read(wire_bytes("rating", prompt=..., messages=messages, scale={"min": 1, "max": 5, "step": 1}))
    assert found.unknown_fields == 2
    assert found.event.context == {}
    assert read(wire_bytes("retraction", retracts={"event_id": "e0", "why": "x"})).unknown_fields == 1


def test_the_last_of_duplicate_keys_counts() -> None:
    data = wire_bytes("thumb").replace(b'"thumb": "up"', b'"thumb": "down", "thumb": "up"')
    assert read(data).event == event("thumb")


def test_a_byte_order_mark_is_skipped() -> None:
    assert read(b"\xef\xbb\xbf" + wire_bytes("thumb")).event == event("thumb")


def test_a_score_on_a_scale_is_brought_to_0_to_1() -> None:
    body = event("validation", score=85, scale={"min": 0, "max": 100}).body
    assert isinstance(body, Validation)
    assert body.score == 0.85


def test_an_event_of_a_trusted_app_is_trusted() -> None:
    data = wire_bytes("retraction", app="moderation")
    assert read(data, trusted_apps=frozenset({"moderation"})).event.trusted
    assert not read(data, trusted_apps=frozenset({"other"})).event.trusted
    assert not read(wire_bytes("retraction"), trusted_apps=frozenset({"moderation"})).event.trusted


class TestInteractionIds:
    def test_feedback_with_prompt_and_response_stands_alone(self) -> None:
        found = event("thumb", interaction_id=...)
        assert found.self_contained
        assert len(found.interaction_id) == 64

    def test_a_rating_and_a_correction_of_one_user_on_one_text_meet(self) -> None:
        rating, correction = event("rating", interaction_id=...), event("correction", interaction_id=...)
        assert rating.interaction_id == correction.interaction_id

    @pytest.mark.parametrize(
        "change", [{"user_id": "u2"}, {"user_id": None}, {"task": "t"}, {"prompt": "p"}, {"response": "r"}]
    )
    def test_another_user_task_prompt_or_response_is_another_interaction(self, change: dict[str, Any]) -> None:
        one = event("thumb", interaction_id=...)
        assert event("thumb", interaction_id=..., **change).interaction_id != one.interaction_id

    def test_a_pair_is_told_apart_by_its_texts(self) -> None:
        one = event("preference", interaction_id=...)
        assert one.self_contained
        assert event("preference", interaction_id=..., chosen="Hi.").interaction_id != one.interaction_id

    def test_a_demonstration_needs_a_prompt_alone(self) -> None:
        assert event("demonstration", interaction_id=...).self_contained

    def test_a_pair_without_a_prompt_belongs_to_the_interaction_of_its_chosen_text(self) -> None:
        found = event("preference", interaction_id=..., prompt=..., chosen_interaction_id="i7")
        assert found.interaction_id == "i7"
        assert not found.self_contained
        assert isinstance(found.body, Preference)

    def test_a_retraction_of_an_interaction_belongs_to_it(self) -> None:
        found = event("retraction", interaction_id=..., prompt=..., retracts={"interaction_id": "i7"})
        assert found.interaction_id == "i7"

    def test_a_retraction_of_an_event_waits_under_that_event_s_key(self) -> None:
        found = event("retraction", interaction_id=..., prompt=...)
        assert found.interaction_id == "retracts:e0"
        assert found.body == Retraction(event_id="e0")

    def test_prompt_and_chat_of_one_user_turn_are_the_same_event(self) -> None:
        chat = event("thumb", interaction_id=..., prompt=..., messages=[{"role": "user", "content": "Greet me."}])
        assert chat == event("thumb", interaction_id=...)


class TestContentHash:
    def test_the_time_and_the_schema_are_not_content(self) -> None:
        first = event("thumb")
        assert event("thumb", occurred_at="2020-01-01T00:00:00Z", schema=...).content_hash == first.content_hash

    def test_the_order_of_keys_is_not_content(self) -> None:
        forwards = fields("thumb", context={"a": 1, "b": {"c": 1, "d": [{"e": 1, "f": 2}]}})
        backwards = dict(reversed(forwards.items())) | {"context": {"b": {"d": [{"f": 2, "e": 1}], "c": 1}, "a": 1}}
        one, other = (read(json.dumps(each).encode()).event for each in (forwards, backwards))
        assert one.content_hash == other.content_hash

    @pytest.mark.parametrize(
        "change",
        [
            {"thumb": "down"},
            {"user_id": "u2"},
            {"app": "a"},
            {"prompt": "p"},
            {"response": ""},
            {"response": None},
            {"criterion": "tone"},
            {"model": "m"},
            {"adapter": "m"},
            {"finish_reason": "stop"},
            {"sampling": {"temperature": 1}},
            {"propensity": 0.5},
            {"context": {"a": 1}},
            {"comment": "x"},
            {"interaction_id": "i2"},
        ],
    )
    def test_everything_else_is_content(self, change: dict[str, Any]) -> None:
        assert event("thumb", **change).content_hash != event("thumb").content_hash

    def test_the_bodies_of_all_kinds_differ(self) -> None:
        assert len({event(kind).content_hash for kind in KIND_FIELDS}) == len(KIND_FIELDS)

    def test_content_does_not_run_together_over_fields(self) -> None:
        one = event("thumb", model="ab", adapter="c")
        assert one.content_hash != event("thumb", model="a", adapter="bc").content_hash
        assert event("thumb", model="aadapterb").content_hash != event("thumb", model="a", adapter="b").content_hash

    def test_turns_do_not_run_together(self) -> None:
        turns = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
        one = event("thumb", prompt=..., messages=turns)
        other = event("thumb", prompt=..., messages=list(reversed(turns)))
        assert one.content_hash != other.content_hash


class TestBatches:
    def test_a_bad_event_never_stops_a_good_one(self) -> None:
        raws = [Raw(wire_bytes("thumb"), 7, NOW), Raw(b"{", 8, NOW), Raw(wire_bytes("rating", x=1), 9, NOW)]
        done = decode_batch(raws, source="kafka", stream="c/t/0")
        assert [type(outcome) for outcome in done.outcomes] == [Event, DeadLetter, Event]
        assert done.unknown_fields == 1

    def test_a_dead_letter_points_at_its_record_and_holds_no_text(self) -> None:
        data = wire_bytes("thumb", thumb="sideways", response="my secret")
        (letter,) = decode_batch([Raw(data, 8, NOW)], source="kafka", stream="c/t/0").outcomes
        assert isinstance(letter, DeadLetter)
        assert (letter.stream, letter.position, letter.source, letter.task) == ("c/t/0", 8, "kafka", "greet")
        assert (letter.stage, letter.size_bytes) == ("decode", len(data))
        assert letter.reason == "thumb: not one of the allowed words"
        assert "secret" not in repr(letter)
        assert "sideways" not in repr(letter)

    def test_a_fault_of_our_own_is_a_dead_letter_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("consumers.decode.check_task", lambda *_: 1 / 0)
        (letter,) = decode_batch([Raw(wire_bytes("thumb"), 3, NOW)]).outcomes
        assert isinstance(letter, DeadLetter)
        assert letter.reason == "adaptd failed on it, ZeroDivisionError; please report this"

    def test_running_out_of_memory_is_nobody_s_dead_letter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def exhaust(*_: object) -> None:
            raise MemoryError

        monkeypatch.setattr("consumers.decode.check_task", exhaust)
        with pytest.raises(MemoryError):
            decode_batch([Raw(wire_bytes("thumb"), 3, NOW)])

    def test_over_http_a_dead_letter_has_no_position(self) -> None:
        (letter,) = decode_batch([Raw(b"", 3, NOW)]).outcomes
        assert isinstance(letter, DeadLetter)
        assert (letter.stream, letter.position, letter.task) == (None, None, None)

    def test_a_shapeless_message_is_laid_to_the_source_s_default_task(self) -> None:
        (letter,) = decode_batch([Raw(b'{"kind": "thumb"}', 3, NOW)], default_task="greet").outcomes
        assert isinstance(letter, DeadLetter)
        assert letter.task == "greet"

    def test_a_task_that_is_no_name_is_not_repeated_in_the_dead_letter(self) -> None:
        (letter,) = decode_batch([Raw(wire_bytes("thumb", task="../../etc"), 3, NOW)]).outcomes
        assert isinstance(letter, DeadLetter)
        assert letter.task is None


def check_reads_or_says_why(data: bytes, headers: dict[str, bytes] | None = None) -> None:
    """The promise: an event, or Unreadable with a short reason; nothing else, whatever comes."""
    try:
        found = decode(data, headers or {}, received_at=NOW, default_task="t").event
    except Unreadable as error:
        words = error.reason
    else:
        words = "read"
        assert found.content_hash
        assert "\0" not in repr(found)
    assert 0 < len(words) < 120


@given(st.binary(max_size=200), st.dictionaries(st.sampled_from(["ce_specversion", "content-type"]), st.binary()))
def test_any_bytes_are_read_or_refused(data: bytes, headers: dict[str, bytes]) -> None:
    check_reads_or_says_why(data, headers)


@given(plain_json)
def test_any_json_is_read_or_refused(value: Any) -> None:
    check_reads_or_says_why(json.dumps(value).encode())


@given(st.sampled_from(KINDS), st.data())
def test_any_value_in_any_field_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    message = fields(kind)
    names = [*message, "messages", "context", "sampling", "criterion", "checks", "unknown"]
    for name in data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)):
        message[name] = data.draw(plain_json)
    check_reads_or_says_why(json.dumps(message).encode())
    check_reads_or_says_why(json.dumps(message, ensure_ascii=False).encode(errors="surrogatepass"))


@given(st.sampled_from(KINDS), st.integers(min_value=0, max_value=400))
def test_a_message_cut_anywhere_is_refused(kind: str, size: int) -> None:
    data = wire_bytes(kind)
    if size < len(data):
        assert reason(data[:size]) in {"empty", "not JSON"}


@given(st.text(max_size=50), st.text(max_size=50))
def test_texts_are_kept_to_the_letter(prompt: str, response: str) -> None:
    if prompt and "\0" not in prompt + response:
        found = event("thumb", prompt=prompt, response=response)
        assert (found.messages[0].content, found.response) == (prompt, response)


def test_events_survive_a_redelivery_with_another_receipt() -> None:
    one = event("thumb")
    data = wire_bytes("thumb")
    later = decode(data, {}, received_at=NOW + timedelta(days=1)).event
    assert replace(later, received_at=one.received_at) == one


def test_limits_default_to_documented_values() -> None:
    limits = LimitSettings()
    assert (limits.max_bytes, limits.max_depth, limits.max_context_bytes) == (1_048_576, 16, 16_384)
