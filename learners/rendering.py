"""Messages to token ids: the one place where a prompt or a row becomes numbers, for training and serving alike.

Why here: an adapter that learned from one rendering and answers under another is quietly worse. Training and the
local engine both call this file, and the base's own chat template does the rendering, once. The tokenizer is handed
in, so nothing of transformers is imported.

It does not truncate (too-long rows are dropped by whoever counts them) and it does not batch or pad.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from learners.errors import LearnerError
from storage.records import Message

_PROBE = "0"


class NoChatTemplate(LearnerError):
    """The base has no chat template, so messages cannot be turned into a prompt.

    To do: use an instruct model, or put a `chat_template` into its tokenizer_config.json.

    Shows as: the reason of a failed update.
    """


class NoStopToken(LearnerError):
    """Neither the chat template nor the tokenizer says how an answer ends.

    To do: set `eos_token` in the base's tokenizer_config.json.

    Shows as: the reason of a failed update.
    """


def render_prompt(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """The ids that a model is given before it answers: all messages and the opening of the assistant's turn.

    Raises NoChatTemplate.
    """
    return _encode(tokenizer, _prompt_text(tokenizer, messages))


def render_row(tokenizer: Any, messages: Sequence[Message], completion: str) -> tuple[list[int], list[int]]:
    """The ids of the prompt, and those of the completion, which always end in the stop token.

    Both are tokenized as one text where that leaves the prompt's ids as they are (so that tokenizers which mark the
    beginning of a text do so once), else apart. Special tokens that somebody wrote out in a completion are dropped:
    the answer ends once, at its end. Raises NoChatTemplate, NoStopToken.
    """
    prompt_text = _prompt_text(tokenizer, messages)
    prompt_ids = _encode(tokenizer, prompt_text)
    whole_ids = _encode(tokenizer, prompt_text + completion)
    together = whole_ids[: len(prompt_ids)] == prompt_ids
    completion_ids = whole_ids[len(prompt_ids) :] if together else _encode(tokenizer, completion)
    stop = stop_id(tokenizer)
    special = {*tokenizer.all_special_ids, stop}
    return prompt_ids, [*(i for i in completion_ids if i not in special), stop]


def stop_id(tokenizer: Any) -> int:
    """The token that ends an assistant's turn: what the template writes after it, else the end-of-sequence token."""
    after = _text_after_an_answer(tokenizer)
    ids = _encode(tokenizer, after) if after else []
    known = {*tokenizer.all_special_ids, *getattr(tokenizer, "added_tokens_decoder", {})}
    if ids and ids[0] in known:
        return int(ids[0])
    if tokenizer.eos_token_id is None:
        raise NoStopToken("The base's tokenizer has no end-of-sequence token; set eos_token in tokenizer_config.json.")
    return int(tokenizer.eos_token_id)


def stop_ids(tokenizer: Any) -> tuple[int, ...]:
    """All tokens at which generation ends: that of the template, and the tokenizer's own."""
    end_of_sequence = tokenizer.eos_token_id
    return tuple(dict.fromkeys([stop_id(tokenizer), *([] if end_of_sequence is None else [int(end_of_sequence)])]))


def as_chat(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as the dicts that chat templates and OpenAI-compatible APIs expect; what was not given is left out."""
    return [_as_dict(message) for message in messages]


def _as_dict(message: Message) -> dict[str, Any]:
    optional = {
        "name": message.name,
        "tool_calls": list(message.tool_calls) or None,
        "tool_call_id": message.tool_call_id,
    }
    return {"role": message.role, "content": message.content, **{k: v for k, v in optional.items() if v is not None}}


def _prompt_text(tokenizer: Any, messages: Sequence[Message]) -> str:
    return _apply_template(tokenizer, as_chat(messages), add_generation_prompt=True)


def _text_after_an_answer(tokenizer: Any) -> str:
    chat = [{"role": "user", "content": _PROBE}, {"role": "assistant", "content": _PROBE}]
    text = _apply_template(tokenizer, chat, add_generation_prompt=False)
    return text.rpartition(_PROBE)[2]


def _apply_template(tokenizer: Any, chat: list[dict[str, Any]], *, add_generation_prompt: bool) -> str:
    if not getattr(tokenizer, "chat_template", None):
        raise NoChatTemplate(
            "The base's tokenizer has no chat template; choose a base that has one, or add chat_template.jinja to it."
        )
    text: str = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=add_generation_prompt)
    return text


def _encode(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))
