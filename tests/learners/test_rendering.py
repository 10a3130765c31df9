"""Messages to token ids, the same for training and serving."""

from __future__ import annotations

from typing import Any

import pytest

from learners.rendering import NoChatTemplate, NoStopToken, as_chat, render_prompt, render_row, stop_id, stop_ids
from storage.records import Message
from tests.learners.training.tiny import make_tokenizer

pytestmark = pytest.mark.train
ASKED = (Message("system", "be brief"), Message("user", "hi"))


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return make_tokenizer()


def test_a_prompt_ends_where_the_assistant_begins(tokenizer: Any) -> None:
    assert tokenizer.decode(render_prompt(tokenizer, ASKED)) == "<|system|>be brief<|user|>hi<|assistant|>"


def test_a_row_begins_with_the_very_prompt_that_serving_renders(tokenizer: Any) -> None:
    prompt, completion = render_row(tokenizer, ASKED, "hello")
    assert prompt == render_prompt(tokenizer, ASKED)
    assert tokenizer.decode(completion) == "hello<|end|>"


def test_earlier_turns_are_kept(tokenizer: Any) -> None:
    turns = (*ASKED, Message("assistant", "hello"), Message("user", "again"))
    assert "hello<|end|><|user|>again<|assistant|>" in tokenizer.decode(render_prompt(tokenizer, turns))


def test_a_stop_token_written_out_in_an_answer_does_not_end_it(tokenizer: Any) -> None:
    _, completion = render_row(tokenizer, ASKED, "a<|end|>b<|user|>c")
    assert tokenizer.decode(completion) == "abc<|end|>"
    assert completion.count(stop_id(tokenizer)) == 1


def test_the_template_decides_which_token_stops() -> None:
    tokenizer = make_tokenizer()
    tokenizer.eos_token = "<pad>"
    assert stop_id(tokenizer) == tokenizer.convert_tokens_to_ids("<|end|>")
    assert stop_ids(tokenizer) == (stop_id(tokenizer), tokenizer.eos_token_id)


def test_without_one_in_the_template_the_end_of_sequence_stops() -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    assert stop_ids(tokenizer) == (tokenizer.eos_token_id,)


def test_a_base_that_never_stops_is_refused() -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    tokenizer.eos_token = None
    with pytest.raises(NoStopToken, match="eos_token"):
        stop_id(tokenizer)


def test_a_base_without_a_chat_template_is_refused() -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = None
    with pytest.raises(NoChatTemplate, match=r"chat_template\.jinja"):
        render_prompt(tokenizer, ASKED)


def test_messages_become_chat_dicts_without_what_was_not_given() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = (Message("assistant", "", tool_calls=(call,)), Message("tool", "4", tool_call_id="1"))
    assert as_chat(messages) == [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "4", "tool_call_id": "1"},
    ]
