"""Reading OpenAI requests: what is understood is kept, what is not is refused and never ignored."""

from __future__ import annotations

import pickle
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from learners.engines.errors import EngineBusy, EngineRefused
from learners.engines.wire import NEUTRAL, BadRequest, Sampling, read_chat, read_completion
from storage.records import Message

HELLO: dict[str, Any] = {"model": "erd", "messages": [{"role": "user", "content": "hello"}]}

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_defaults_are_those_of_openai() -> None:
    assert read_chat(HELLO).sampling == Sampling(max_tokens=None, temperature=1.0, top_p=1.0, seed=None)


def test_the_newer_name_of_max_tokens_counts() -> None:
    assert read_chat({**HELLO, "max_completion_tokens": 7}).sampling.max_tokens == 7


def test_roles_and_parts_become_canonical() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    turns = [
        {"role": "developer", "content": "d"},
        {"role": "assistant", "content": None},
        {"role": "user", "content": parts},
    ]
    assert read_chat({**HELLO, "messages": turns}).messages == (
        Message("system", "d"),
        Message("assistant", ""),
        Message("user", "ab"),
    )


def test_a_picture_is_refused() -> None:
    turns = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
    with pytest.raises(BadRequest, match=r"messages\.0\.content: only text parts"):
        read_chat({**HELLO, "messages": turns})


@pytest.mark.parametrize("prompt", [["a", "b"], [], [1, 2], 5, None])
def test_a_legacy_prompt_is_one_text(prompt: Any) -> None:
    with pytest.raises(BadRequest):
        read_completion({"model": "erd", "prompt": prompt})
    assert read_completion({"model": "erd", "prompt": ["a"]}).messages == (Message("user", "a"),)


@pytest.mark.parametrize("name", sorted(NEUTRAL))
def test_an_option_that_is_not_built_is_refused_unless_it_asks_for_nothing(name: str) -> None:
    for neutral in NEUTRAL[name]:
        read_chat({**HELLO, name: neutral})
    with pytest.raises(BadRequest, match=f"'{name}' is not in this version"):
        read_chat({**HELLO, name: [{"something": 1}]})


def test_fields_that_change_no_answer_are_let_through() -> None:
    assert read_chat({**HELLO, "metadata": {"a": "b"}, "store": False}) == read_chat(HELLO)


def test_a_refusal_repeats_nothing_of_what_was_sent() -> None:
    with pytest.raises(BadRequest) as refused:
        read_chat({**HELLO, "messages": [{"role": "SECRET", "content": 5}], "temperature": "SECRET"})
    assert "SECRET" not in str(refused.value)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # slow where the machine is busy
@given(st.dictionaries(st.sampled_from([*HELLO, "prompt", "temperature", "seed", "user", "top_p", "stop"]), anything))
def test_whatever_is_sent_is_read_or_refused(body: dict[str, Any]) -> None:
    for read in (read_chat, read_completion):
        with suppress(BadRequest):  # anything else, it must not raise
            read({**HELLO, **body})


@pytest.mark.parametrize(
    "error", [EngineRefused(404, "what", "do"), EngineBusy("full", 2.0), BadRequest("no", 413, "p")]
)
def test_errors_cross_process_borders(error: Exception) -> None:
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
