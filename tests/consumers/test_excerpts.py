import json

from hypothesis import given
from hypothesis import strategies as st

from consumers.excerpts import excerpt
from tests.consumers.wires import fields, wire_bytes


def test_it_shows_known_names_types_and_lengths() -> None:
    message = {"kind": "rating", "prompt": "my secret", "rating": 3, "tie": True, "response": None, "scale": {"min": 1}}
    shown = excerpt(json.dumps(message).encode())
    assert shown == "{kind: rating, prompt: text(9), rating: number, tie: bool, response: null, scale: {min: number}}"


def test_keys_that_a_sender_made_up_are_counted_only() -> None:
    assert excerpt(b'{"my name": 1, "kind": "my name", "x": 2}') == "{kind: text(7), ?: 2 unknown}"


def test_chats_show_their_length_and_the_shape_of_a_turn() -> None:
    data = b'{"messages": [{"role": "user", "content": "secret"}, 3]}'
    assert excerpt(data) == "{messages: list(2) of {role: text(4), content: text(6)}}"


def test_what_is_not_json_shows_its_size() -> None:
    assert excerpt(b"secret") == "not JSON, 6 bytes"
    assert excerpt(b"[" * 100_000) == "not JSON, 100000 bytes"
    assert excerpt(b'"' + b"x" * 2**20 + b'"') == "1048578 bytes"


def test_other_json_shows_its_type() -> None:
    assert [excerpt(data) for data in (b"null", b"3", b"[]", b'"secret"')] == ["null", "number", "list(0)", "text(6)"]


@given(st.binary() | st.recursive(st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(json.dumps))
def test_it_is_short_whatever_comes(data: bytes | str) -> None:
    assert len(excerpt(data if isinstance(data, bytes) else data.encode())) <= 500


def test_no_text_gets_through() -> None:
    secrets = dict.fromkeys(fields("rating"), "s3cret") | {"context": {"s3cret": ["s3cret"]}, "kind": "s3cret"}
    assert "s3cret" not in excerpt(json.dumps(secrets).encode())
    assert "Greet" not in excerpt(wire_bytes("thumb"))
