"""Scores an entity-relation diagram in Mermaid against the entities that the prompt asked for.

A score of 100 points, given as a share in [0, 1]: 20 parses + 25 entities + 20 keys + 20 relations + 15 placeholders.

- *asked*: the names after the last `entities:` in the prompt, up to the end of that sentence or line, split at commas.
  A prompt without such a list asks for nothing in particular: then the entities that the answer drew stand for it.
- *parses*: the whole answer, spaces around it and one surrounding code fence taken off, is an ER diagram by Mermaid's
  grammar. If it is not, the other parts are computed on the lines that can be read (`mermaid_er.line_reader`).
- *entities*: |drawn and asked| / max(|drawn|, |asked|). Drawn is an entity with a block; names compare exactly, and
  the name is what relations use, not a label in brackets.
- *keys*: the share of asked entities whose blocks have an attribute with the key PK and all `required_fields`.
- *relations*: the share of asked entities at an end of a relation whose both ends are asked. With a single asked
  entity: 1 if it is drawn and no relation has an end that was not asked.
- *placeholders*: 1, or 0 if any entity, label or attribute is called by a filler word (`foo`, `tbd`, `field1`), if
  `TODO` or `...` stands anywhere in the answer, or if there is no entity at all.

An answer passes when every part is 1. Limits: an answer over 50,000 characters scores 0 unread (Mermaid itself refuses
to draw it); whether the attributes and relations make sense is not judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pydantic import field_validator

from learners.fences import unfenced
from storage.records.settings import Settings as BaseSettings
from storage.records.settings import setting

from . import Validated
from .mermaid_er import Attribute, Diagram, ErSyntaxError, parse, read_lines

MAX_CHARS: Final = 50_000
POINTS: Final = {"parses": 20, "entities": 25, "keys": 20, "relations": 20, "placeholders": 15}

_FILLER_WORDS: Final = frozenset(("foo", "bar", "baz", "todo", "tbd", "xxx", "placeholder", "example", "lorem", "..."))
_FILLER_NUMBERED: Final = re.compile(r"(?:field|attr|attribute|column|col|entity|table|name)_?[0-9]+")
_ASKED: Final = re.compile(r"entities:", re.IGNORECASE)
_SENTENCE_END: Final = re.compile(r"\.(?:\s|$)|\n")


class Settings(BaseSettings):
    """What a diagram must hold beyond Mermaid's grammar."""

    required_fields: tuple[str, ...] = setting(
        (), doc="Attributes that every asked entity must have, such as tenant_id; part of the sub-check `keys`."
    )

    @field_validator("required_fields")
    @classmethod
    def _are_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if any(not name.strip() for name in names):
            raise ValueError("a required field needs a name; remove the empty one")
        return names


def open(settings: Settings) -> MermaidErd:
    """The validator with these settings."""
    return MermaidErd(settings)


class MermaidErd:
    """The validator. Stateless, so that threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self._required_fields = frozenset(settings.required_fields)

    def validate(self, prompt: str, answer: str) -> Validated:
        """Judge `answer` by the rules above. Never raises."""
        parts = self._parts(asked_entities(prompt), unfenced(answer))
        checks = {name: part == 1.0 for name, part in parts.items()}
        score = sum(points * parts[name] for name, points in POINTS.items()) / 100
        return Validated(score, all(checks.values()), checks, parts)

    def _parts(self, asked: tuple[str, ...], text: str) -> dict[str, float]:
        if len(text) > MAX_CHARS:
            return dict.fromkeys(POINTS, 0.0)
        diagram, parses = _read(text)
        drawn = {name for name, entity in diagram.entities.items() if entity.has_block}
        wanted = frozenset(asked) or frozenset(drawn)
        return {
            "parses": float(parses),
            "entities": len(drawn & wanted) / max(len(drawn), len(wanted), 1),
            "keys": self._keys(diagram, wanted),
            "relations": _relations(diagram, wanted, drawn),
            "placeholders": float(bool(diagram.entities) and not _has_filler(diagram, text)),
        }

    def _keys(self, diagram: Diagram, wanted: frozenset[str]) -> float:
        entities = (diagram.entities[name] for name in wanted if name in diagram.entities)
        return sum(self._has_keys(entity.attributes) for entity in entities) / max(len(wanted), 1)

    def _has_keys(self, attributes: tuple[Attribute, ...]) -> bool:
        names = {attribute.name for attribute in attributes}
        return self._required_fields <= names and any("PK" in attribute.keys for attribute in attributes)


def asked_entities(prompt: str) -> tuple[str, ...]:
    """The entity names that a prompt lists, each once, in order; empty when it lists none."""
    listed = ""
    for found in _ASKED.finditer(prompt):
        listed = _SENTENCE_END.split(prompt[found.end() :].lstrip(), maxsplit=1)[0]
    names = (name.strip().removeprefix("and ").strip(" `\"'") for name in listed.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def _read(text: str) -> tuple[Diagram, bool]:
    try:
        return parse(text), True
    except ErSyntaxError:
        return read_lines(text), False


def _relations(diagram: Diagram, wanted: frozenset[str], drawn: set[str]) -> float:
    ends = [{relation.left, relation.right} for relation in diagram.relations]
    if len(wanted) == 1:
        return float(wanted <= drawn and all(pair <= wanted for pair in ends))
    connected = {name for pair in ends if pair <= wanted for name in pair}
    return len(connected) / max(len(wanted), 1)


def _has_filler(diagram: Diagram, text: str) -> bool:
    return "TODO" in text or "..." in text or any(_is_filler(name) for name in _words(diagram))


def _words(diagram: Diagram) -> Iterator[str]:
    for entity in diagram.entities.values():
        yield entity.name
        if entity.label:
            yield entity.label
        yield from (attribute.name for attribute in entity.attributes)
    yield from (relation.label for relation in diagram.relations)


def _is_filler(name: str) -> bool:
    name = name.lower()
    return name in _FILLER_WORDS or _FILLER_NUMBERED.fullmatch(name) is not None
