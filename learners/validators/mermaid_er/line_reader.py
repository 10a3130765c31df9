"""What can still be read of a diagram that does not parse, line by line.

A line counts when the grammar accepts it by itself: a relation, an entity with its whole block, the opening of a block,
or, while a block is open, attributes. A line that nothing can be made of is passed over. A line that opens a block or
states a relation ends a block that was left open. Entities that are only named, without block or relation, are passed
over too, since in prose every word would be one.
"""

from __future__ import annotations

from .diagram import Diagram, Entity, Relation, build
from .parser import ErSyntaxError, Parser
from .preprocess import preprocess


def read_lines(text: str) -> Diagram:
    """The entities with a block and the relations that the lines of `text` state. Never raises."""
    reader = _LineReader()
    for line in preprocess(text).split("\n"):
        if stripped := line.strip():
            reader.read(stripped)
    return build(reader.entities, reader.relations)


class _LineReader:
    def __init__(self) -> None:
        self.entities: list[Entity] = []
        self.relations: list[Relation] = []
        self._open: str | None = None  # the entity whose block is being read

    def read(self, line: str) -> None:
        if not (self._open is not None and self._read_attributes(self._open, line)):
            self._read_statements(line)

    def _read_attributes(self, name: str, line: str) -> bool:
        try:
            attributes, closes = Parser(line, in_block=True).attribute_line()
        except ErSyntaxError:
            return False
        self.entities.append(Entity(name, attributes=attributes, has_block=True))
        self._open = None if closes else name
        return True

    def _read_statements(self, line: str) -> None:
        if "{" not in line and ":" not in line:  # neither block nor relation
            return
        whole = None if line.endswith("{") else _statements(line)
        found = whole or _statements(line + " }")
        if found is None:
            return
        blocks = [entity for entity in found.entities.values() if entity.has_block]
        if blocks or found.relations:
            self._open = None if whole else blocks[-1].name
        self.entities.extend(blocks)
        self.relations.extend(found.relations)


def _statements(line: str) -> Diagram | None:
    try:
        return Parser(line + "\n").document()
    except ErSyntaxError:
        return None
