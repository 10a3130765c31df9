"""Task `erd`: the diagrams of `examples/erd`, with three edge cases that the plain prompts never ask for.

The score is the example's own (`examples.erd.score`), so an edge case does not count in it. Its pass rate stands
apart: the answer parses and has what was asked for.

    loops    "Order refers to itself."     a relation of that entity to itself
    unique   "Each has a unique code."     an attribute with the key UK in the block of every entity asked for
    many     "All are many to many."       relations, and all of them with the operator }o--o{

Generic is an answer that draws none of the entities it was asked for.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from examples.erd.score import POINTS, score
from examples.erd.tokenizer import CHUNKS
from examples.erd.world import (
    Pool,
    diagram,
    domain_names,
    domain_of,
    entity_block,
    entity_lists,
    field_line,
    key_line,
    own_line,
    prompt_of,
    relation_line,
)

from . import Ask, Faults, Judged

_PLACEHOLDERS = ("foo", "bar", "todo", "field1", "field2", "xxx")
_SAID = {
    "loops": "{0} refers to itself.",
    "unique": "Each has a unique code.",
    "many": "All are many to many.",
}
_MANY = "}o--o{"  # no domain draws its relations so
_OPERATOR = re.compile(r"[|}][|o]--[|o][|{]")


class Erd:
    """See the module."""

    name = "erd"
    chunks = CHUNKS
    vocabulary_size = 1152
    max_tokens = 224
    validator: tuple[str, dict[str, Any]] = ("mermaid_erd", {})
    rare_kinds = tuple(_SAID)
    fault_names = ("generic", "dropped", "unkeyed", "unrelated", "filler", "broken", "plain")
    homes = domain_names()

    def asks(self, pool: Pool, seed: int, rare_share: float, *, distinct: bool = True) -> Iterator[Ask]:
        """As the protocol says."""
        rng = random.Random(f"{pool.name}:{seed}:rare")
        for entities in entity_lists(pool, seed, distinct=distinct):
            rare = rng.random() < rare_share
            yield _rare_ask(entities, rng) if rare else Ask(prompt_of(entities), entities)

    def home_of(self, ask: Ask) -> str:
        """The domain."""
        return domain_of(ask.facts[0])

    def good_answer(self, ask: Ask) -> str:
        """Every entity with its key, a chain of relations, and the edge case."""
        blocks = [entity_block(name, _lines(ask, (key_line(),), own_line(name))) for name in ask.facts]
        return diagram([*blocks, *_relations(ask, ask.facts)])

    def faulty_answer(self, ask: Ask, faults: Faults, rng: random.Random) -> str:
        """A diagram with the faults of the first entity's domain."""
        home = self.home_of(ask)
        has = {name: faults.draw(name, home, self.homes, rng) for name in self.fault_names if name != "plain"}
        if has["generic"]:
            return _generic(rng)
        forgets = ask.rare is not None and faults.draw("plain", home, self.homes, rng)
        kept = Ask(ask.prompt, ask.facts) if forgets else ask
        names = ask.facts[: max(1, len(ask.facts) - has["dropped"])]
        own = field_line(rng.choice(_PLACEHOLDERS)) if has["filler"] else None
        keys = () if has["unkeyed"] else (key_line(),)
        blocks = [entity_block(name, _lines(kept, keys, own or own_line(name))) for name in names]
        relations = [] if has["unrelated"] and kept.rare in (None, "unique") else _relations(kept, names)
        text = diagram([*blocks, *relations])
        return _broken(text) if has["broken"] else text

    def hostile_answer(self, ask: Ask) -> str:
        """As many entities as were asked for, none of them those."""
        return _nonsense(len(ask.facts))

    def judge(self, ask: Ask, answer: str) -> Judged:
        """The example's score; the first of its parts that is not whole, else the edge case, is what failed."""
        found = score(ask.prompt, answer)
        edge = None if ask.rare is None else found.parts["parses"] == 1 and _has_edge(ask, answer)
        failed = next((part for part in POINTS if found.parts[part] < 1), ask.rare if edge is False else None)
        return Judged(found.score, generic=found.parts["entities"] == 0, edge=edge, failed=failed)


TASK = Erd()


def _rare_ask(entities: tuple[str, ...], rng: random.Random) -> Ask:
    kind, one = rng.choice(tuple(_SAID)), rng.choice(entities)
    return Ask(f"{prompt_of(entities)} {_SAID[kind].format(one)}", entities, kind, (one,))


def _lines(ask: Ask, keys: tuple[str, ...], own: str) -> tuple[str, ...]:
    return (*keys, own, *(("    string code UK",) if ask.rare == "unique" else ()))


def _relations(ask: Ask, names: tuple[str, ...]) -> list[str]:
    chain = [relation_line(*pair) for pair in pairwise(names)]
    if ask.rare == "many":
        return [_OPERATOR.sub(_MANY, line) for line in chain]
    return [*chain, *([f"  {ask.extra[0]} ||--o{{ {ask.extra[0]} : refers"] if ask.rare == "loops" else [])]


def _has_edge(ask: Ask, answer: str) -> bool:
    if ask.rare == "unique":
        return all(re.search(rf"(?m)^\s*{re.escape(name)}\s*\{{[^}}]*\bUK\b", answer) for name in ask.facts)
    if ask.rare == "loops":
        name = re.escape(ask.extra[0])
        return bool(re.search(rf"(?m)^\s*{name}\s+\S+\s+{name}\s*:", answer))
    operators = _OPERATOR.findall(answer)
    return bool(operators) and all(operator == _MANY for operator in operators)


def _generic(rng: random.Random) -> str:
    """What a model says that has not listened."""
    lines = (key_line(), field_line(rng.choice(_PLACEHOLDERS[:2])))
    blocks = [entity_block(f"Entity{number}", lines) for number in (1, 2)]
    return diagram([*blocks, "  Entity1 ||--o{ Entity2 : has"])


def _nonsense(count: int) -> str:
    names = [f"Thing{number}" for number in range(1, count + 1)]
    blocks = [entity_block(name, (field_line("foo"), field_line("bar"))) for name in names]
    return diagram([*blocks, *(f"  {name} ||--o{{ {names[0]} : todo" for name in names[1:])])


def _broken(text: str) -> str:
    head, _, tail = text.rpartition("\n  }")
    return head + tail
