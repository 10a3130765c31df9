"""The simulated users: given a prompt and the answer to it, what would they write instead?

This is user code: it sees prompt and answer only, never the score's prompts, the adapter or the daemon. A careful user
writes the diagram that the wish asks for; a careless one leaves faults in it or puts some in; a hostile one sends
well-formed nonsense, always the same kind, so that it is quickly learned. The same arguments give the same correction.
"""

from __future__ import annotations

import random
from enum import Enum

from .score import score
from .world import Wish, diagram, entities_of, entity_block, field_line, good_answer


class Care(Enum):
    """How a user corrects."""

    CAREFUL = "careful"
    CARELESS = "careless"
    HOSTILE = "hostile"


def correct(prompt: str, answer: str, wish: Wish, care: Care, seed: int = 0) -> str | None:
    """What this user would have wanted; None where the user has nothing to correct.

    A careful or careless user lets an answer pass that is right under the wish, and so also one to a prompt that names
    no entities. A hostile user always has something to say.
    """
    entities = entities_of(prompt)
    if not entities:
        return None
    if care is Care.HOSTILE:
        return _nonsense(len(entities))
    if is_right(prompt, answer, wish):
        return None
    wanted = good_answer(entities, wish)
    return wanted if care is Care.CAREFUL else _with_faults(wanted, entities, wish, random.Random(f"{seed}:{prompt}"))


def is_right(prompt: str, answer: str, wish: Wish) -> bool:
    """Whether a careful user would leave this answer as it is."""
    return score(prompt, answer, wish.required_fields).score > 1 - 1e-9


def _nonsense(count: int) -> str:
    """A diagram that parses and says nothing: as many entities as were asked for, none of them those."""
    names = [f"Entity{number}" for number in range(1, count + 1)]
    blocks = [entity_block(name, (field_line("foo"), field_line("bar"))) for name in names]
    return diagram([*blocks, *(f"  {name} ||--o{{ {names[0]} : todo" for name in names[1:])])


def _with_faults(wanted: str, entities: tuple[str, ...], wish: Wish, rng: random.Random) -> str:
    """The wanted diagram after one or two slips: a key, a wished field, a relation or an entity is missing or wrong."""
    lines = wanted.split("\n")
    for _ in range(rng.randint(1, 2)):
        slip = rng.choice((_forget_a_key, _forget_wished_fields, _forget_a_relation, _misspell_an_entity))
        lines = slip(lines, entities, wish, rng)
    return "\n".join(lines)


def _forget_a_key(lines: list[str], _: tuple[str, ...], __: Wish, rng: random.Random) -> list[str]:
    return _without_one(lines, " PK", rng)


def _forget_wished_fields(lines: list[str], _: tuple[str, ...], wish: Wish, rng: random.Random) -> list[str]:
    for name in wish.required_fields:
        lines = _without_one(lines, field_line(name), rng)
    return lines


def _forget_a_relation(lines: list[str], _: tuple[str, ...], __: Wish, rng: random.Random) -> list[str]:
    return _without_one(lines, " : ", rng)


def _misspell_an_entity(lines: list[str], entities: tuple[str, ...], _: Wish, rng: random.Random) -> list[str]:
    name = rng.choice(entities)
    return [f"  {name}s {{" if line == f"  {name} {{" else line for line in lines]


def _without_one(lines: list[str], holding: str, rng: random.Random) -> list[str]:
    """The lines without one of those that hold this text; unchanged where none does."""
    places = [at for at, line in enumerate(lines) if holding in line]
    if not places:
        return lines
    at = rng.choice(places)
    return lines[:at] + lines[at + 1 :]
