"""Ten simulated people: what each makes of an answer. They see the prompt and the answer, and nothing else.

Seven are careful: they correct what is wrong and praise what is right. Two are careless: their corrections have faults
of their own, and their thumbs mean nothing. One is hostile: it "corrects" answers into rubbish, and for each answer it
sees it makes up more that it was never given, each with its rubbish "correction".
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from examples.erd.correct import Care, correct, is_right
from examples.erd.world import Pool, Wish, entity_lists, good_answer, prompt_of

SILENCE = 0.3  # the share of answers that a user says nothing about
CARELESS_THUMBS = 0.3  # the share of a careless user's feedback that is a thumb, up or down by chance
HOSTILE_FLOOD = 9  # corrections of made-up answers for each answer that the hostile user sees


@dataclass(frozen=True)
class User:
    """One person, by pseudonym."""

    name: str
    care: Care


def people(*, with_hostile: bool = True) -> list[User]:
    """Ten users; without the hostile one, a careful one in its place."""
    last = Care.HOSTILE if with_hostile else Care.CAREFUL
    cares = [*[Care.CAREFUL] * 7, *[Care.CARELESS] * 2, last]
    return [User(f"user-{number}", care) for number, care in enumerate(cares, 1)]


def feedback(user: User, prompt: str, answer: str, wish: Wish, rng: random.Random) -> list[dict[str, Any]]:
    """The kind-specific parts of the events that this user sends about this answer; often none."""
    if user.care is Care.HOSTILE:
        return [_correction(prompt, answer, wish, Care.HOSTILE, rng), *_flood(wish, rng)]
    if rng.random() < SILENCE:
        return []
    if is_right(prompt, answer, wish):
        return [{"kind": "thumb", "thumb": "up"}]
    if user.care is Care.CARELESS and rng.random() < CARELESS_THUMBS:
        return [{"kind": "thumb", "thumb": "up" if rng.random() < 0.5 else "down"}]
    return [_correction(prompt, answer, wish, user.care, rng)]


def _correction(prompt: str, answer: str, wish: Wish, care: Care, rng: random.Random) -> dict[str, Any]:
    corrected = correct(prompt, answer, wish, care, seed=rng.randrange(10**9))
    return {"kind": "correction", "corrected": corrected or answer}


def _flood(wish: Wish, rng: random.Random) -> list[dict[str, Any]]:
    """Self-contained corrections: they carry their own prompt and answer, and no interaction_id."""
    lists = entity_lists(Pool.EVENTS, rng.randrange(10**9))
    found = []
    for _ in range(HOSTILE_FLOOD):
        entities = next(lists)
        prompt, answer = prompt_of(entities), good_answer(entities, wish)
        found.append({**_correction(prompt, answer, wish, Care.HOSTILE, rng), "prompt": prompt, "response": answer})
    return found
