"""The demo's judge and the daemon's validator share no code and give every text of this task the same score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest

from examples.erd import score as judge
from examples.erd.correct import Care, correct
from examples.erd.world import AFTER, BEFORE, Pool, Wish, entity_lists, good_answer, prompt_of, sloppy_answer
from learners.validators import mermaid_erd

SEEDS = range(4)
LISTS = 60  # entity lists for each seed; each gives 5 texts, each text 4 more with a slip of the pen
PIECES = ("{", "}", '"', ":", "||--o{", "PK", "foo", "TODO", "...", "%% note", "\n", " ", "erDiagram", "int id PK")


def _texts(entities: tuple[str, ...], wish: Wish, rng: Random) -> Iterator[str]:
    """What models and users write for this task, good and bad."""
    prompt = prompt_of(entities)
    yield good_answer(entities, wish)
    yield sloppy_answer(entities, rng)
    yield f"```mermaid\n{good_answer(entities, wish)}\n```"
    for care in (Care.CARELESS, Care.HOSTILE):
        yield correct(prompt, "", wish, care, seed=rng.randrange(100)) or ""


def _cut(text: str, rng: Random) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _without_a_line(text: str, rng: Random) -> str:
    lines = text.split("\n")
    del lines[rng.randrange(len(lines))]
    return "\n".join(lines)


def _without_a_sign(text: str, rng: Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + text[at + 1 :]


def _with_a_piece(text: str, rng: Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(PIECES) + text[at:]


SLIPS: tuple[Callable[[str, Random], str], ...] = (_cut, _without_a_line, _without_a_sign, _with_a_piece)


@pytest.mark.parametrize("wish", [BEFORE, AFTER], ids=["before", "after"])
@pytest.mark.parametrize("seed", SEEDS)
def test_judge_and_validator_agree(seed: int, wish: Wish) -> None:
    validator = mermaid_erd.open(mermaid_erd.Settings(required_fields=wish.required_fields))
    rng, lists = Random(seed), entity_lists(Pool.EVENTS, seed)
    scores = set()
    for entities in (next(lists) for _ in range(LISTS)):
        prompt = prompt_of(entities)
        for text in _texts(entities, wish, rng):
            for answer in (text, *(slip(text, rng) for slip in SLIPS)):
                judged = judge.score(prompt, answer, wish.required_fields)
                validated = validator.validate(prompt, answer)
                assert judged.parts == pytest.approx(validated.parts), answer
                assert judged.score == pytest.approx(validated.score)
                scores.add(round(judged.score, 3))
    assert len(scores) > 20  # or the texts were too much alike to show anything
