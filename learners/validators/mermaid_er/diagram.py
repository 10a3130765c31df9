"""What an entity-relation diagram says, without how it looks: styles, classes, titles and layout are not kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Attribute:
    """One line of an entity's block."""

    type: str
    name: str
    keys: frozenset[str] = frozenset()  # of PK, FK, UK, in capitals


@dataclass(frozen=True)
class Entity:
    """A named box. Two blocks for one name add up, as they do in Mermaid."""

    name: str
    label: str | None = None  # `name[label]`
    attributes: tuple[Attribute, ...] = ()
    has_block: bool = False  # False: only named on its own line or at the end of a relation


@dataclass(frozen=True)
class Relation:
    """A line between two entities, with the words on it."""

    left: str
    right: str
    label: str


@dataclass(frozen=True)
class Diagram:
    """Entities by name, in order of first mention, and the relations between them."""

    entities: Mapping[str, Entity] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()


def build(mentions: Iterable[Entity], relations: Iterable[Relation]) -> Diagram:
    """Merge all mentions of each entity, those at the ends of relations included."""
    grouped: dict[str, list[Entity]] = {}
    relations = tuple(relations)
    for mention in mentions:
        grouped.setdefault(mention.name, []).append(mention)
    for end in (end for relation in relations for end in (relation.left, relation.right)):
        grouped.setdefault(end, [Entity(end)])
    return Diagram({name: _merge(found) for name, found in grouped.items()}, relations)


def _merge(mentions: list[Entity]) -> Entity:
    """One entity out of its mentions, in linear time: a name may come a thousand times."""
    if len(mentions) == 1:
        return mentions[0]
    label = next((mention.label for mention in mentions if mention.label), None)
    attributes = tuple(attribute for mention in mentions for attribute in mention.attributes)
    return Entity(mentions[0].name, label, attributes, any(mention.has_block for mention in mentions))
