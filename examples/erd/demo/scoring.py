"""The demo's yardstick: the mean score of the served adapter over 200 fixed prompts, asked through the gateway.

The adapter is pinned by name, recording is off, and no other pool shares an entity list with these prompts: the
daemon never sees them as events.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from openai import OpenAI

from examples.erd.score import mean_score
from examples.erd.world import Wish, score_prompts

AT_ONCE = 64
ANSWER_TOKENS = 256
NOT_RECORDED = {"x-adaptd-record": "none"}


def score_served(client: OpenAI, adapter: str, wish: Wish) -> float:
    """The mean in [0, 1] of `adapter` (such as erd@v2) under the wish in force."""
    prompts = score_prompts()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda prompt: _answer(client, adapter, prompt), prompts))
    return mean_score(list(zip(prompts, answers, strict=True)), wish.required_fields)


def _answer(client: OpenAI, adapter: str, prompt: str) -> str:
    answered = client.chat.completions.create(
        model=adapter,
        messages=[{"role": "user", "content": prompt}],
        temperature=0,
        max_tokens=ANSWER_TOKENS,
        extra_headers=NOT_RECORDED,
    )
    return answered.choices[0].message.content or ""
