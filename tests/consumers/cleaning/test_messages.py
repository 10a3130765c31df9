import hashlib
import unicodedata
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consumers.cleaning import prompt_key
from storage.records import Message
from tests.consumers.wires import event


def messages_of(*turns: dict[str, Any]) -> tuple[Message, ...]:
    return event("thumb", prompt=..., messages=list(turns)).messages


def test_system_tools_and_turns_are_kept() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    found = messages_of(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What time is it?", "name": "ann"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "12:00", "tool_call_id": "c1"},
    )
    assert found == (
        Message("system", "Be brief."),
        Message("user", "What time is it?", name="ann"),
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", "12:00", tool_call_id="c1"),
    )


def test_developer_is_another_word_for_system() -> None:
    assert messages_of({"role": "developer", "content": "x"}) == (Message("system", "x"),)


def test_text_parts_become_one_text() -> None:
    parts = [{"type": "text", "text": "Hello, "}, {"type": "text", "text": "you."}]
    assert messages_of({"role": "user", "content": parts}) == (Message("user", "Hello, you."),)


def test_case_white_space_and_composed_accents_make_no_other_prompt() -> None:
    key = prompt_key([Message("user", "Draw a café\n now")])
    assert len(key) == 64
    assert prompt_key([Message("user", "  draw A CAFE\u0301 NOW ")]) == key


def test_another_role_turn_or_word_makes_another_prompt() -> None:
    prompts = [
        (Message("user", "a"),),
        (Message("user", "b"),),
        (Message("system", "a"),),
        (Message("user", "a"), Message("user", "b")),
        (Message("user", "b"), Message("user", "a")),
        (Message("user", "a b"),),
    ]
    assert len({prompt_key(prompt) for prompt in prompts}) == len(prompts)


@given(st.one_of(st.text(), st.text(st.characters(codec="ascii"))))
def test_a_prompt_of_ascii_alone_takes_no_other_way_than_any(text: str) -> None:
    plainly = " ".join(unicodedata.normalize("NFC", text).casefold().split())
    assert prompt_key([Message("user", text)]) == hashlib.sha256(f"user\0{plainly}\0".encode()).hexdigest()
