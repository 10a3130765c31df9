"""The score of a diagram: 20 parses + 25 named entities + 20 primary keys + 20 relations + 15 no placeholders.

This is the demo's own judge, so it shares no code with the daemon's validator `mermaid_erd`; both follow these rules,
and a test holds that they agree on the same text. Each part is in [0, 1]:

- parses: the whole text, after one surrounding ```mermaid fence is stripped, follows Mermaid's ER grammar. Where it
  does not, the other parts count what can be read line by line.
- entities: |found and asked| / max(|asked|, |found|); found are the names that have a block, compared exactly.
- keys: share of the asked entities whose block has an attribute with key PK and every required field.
- relations: share of the asked entities in at least one relation whose both ends are asked. One asked entity: 1 if
  it has a block and no relation names another.
- placeholders: 1 unless a name, an attribute or a label is a placeholder, or the text says TODO or `...`; 0 for an
  empty diagram.

It reads the part of the grammar that diagrams of this task use (blocks, attributes with keys and comments, relations,
`%%` comments, bare entities); all else is a parse error: styles, subgraphs, titles, names in backquotes, and
cardinalities in words. What does not parse is read line by line: a line counts when it reads by itself, and a line that
opens a block or states a relation ends a block left open. Run `python -m examples.erd.score FILE` on lines of
{"prompt": ..., "answer": ...}.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

POINTS = {"parses": 0.20, "entities": 0.25, "keys": 0.20, "relations": 0.20, "placeholders": 0.15}

_NO_WORD = (
    r"(?!(?:erDiagram|one|only|zero|many|optionally|to|end|class|classDef|style|subgraph|direction)\b|\d|[.-]{2}|o[{|])"
)
_BARE_WORD = rf"{_NO_WORD}[\w\-*.]+"
_NAME = rf'(?:"[^"%\r\n\\]+"|{_BARE_WORD}|(?!1\s+[A-Za-z_"])\d+(?:\.\d+)?)'
_LEFT, _RIGHT = r"(?:\|o|\|\||\}o|\}\|)", r"(?:o\||\|\||o\{|\|\{)"
_OPERATOR = rf"{_LEFT}[ \t]*(?:--|\.\.|\.-|-\.)[ \t]*{_RIGHT}"
_WORD = r"(?!(?:PK|FK|UK)\b)[*A-Za-z_\u00c0-\uffff][\w\-\[\]().,*\u00c0-\uffff]*"
_KEYS = r"\b(?:PK|FK|UK)\b(?:\s*,\s*(?:PK|FK|UK)\b)*"
_ATTRIBUTE = re.compile(
    rf'\s*{_WORD}\??\s+(?P<name>{_WORD})(?:\s+(?P<keys>{_KEYS}))?(?:\s*"[^"]*")?(?=[\s}}"]|$)', re.I
)
_OPEN = rf"(?P<name>{_NAME})(?:[ \t]*\[[ \t]*(?P<alias>{_NAME})[ \t]*\])?[ \t]*\{{"
_STATEMENT = re.compile(
    rf'(?P<left>{_NAME})[ \t]*{_OPERATOR}[ \t]*(?P<right>{_NAME})[ \t]*:[ \t]*(?P<label>"[^"]*"|{_BARE_WORD})'
    rf"|{_OPEN}"
    rf"|(?P<bare>{_NAME})(?:[ \t]*\[[ \t]*(?P<bare_alias>{_NAME})[ \t]*\])?",
    re.I,
)
_CLOSE = re.compile(r"\s*\}")
_COMMENT = re.compile(r"^[ \t]*%%(?!\{)[^\n]*\n?", re.MULTILINE)
_FENCE = re.compile(r"```[^\n`]*\n(?P<body>.*)\n[ \t]*```", re.DOTALL)
_PLACEHOLDER = re.compile(
    r"foo|bar|baz|todo|tbd|xxx|placeholder|example|lorem|\.\.\.|(?:field|attr|attribute|column|col|entity|table|name)_?\d+",
    re.IGNORECASE,
)
_ASKED = re.compile(r"entities:[ \t]*(?P<names>[^.\n]*)")


@dataclass(frozen=True, slots=True)
class Scored:
    """`score` in [0, 1]; `parts` the five parts by name, each in [0, 1], before their points."""

    score: float
    parts: dict[str, float]


@dataclass(slots=True)
class _Diagram:
    """What could be read: attributes as (name, is primary key) by entity, relations as (left, right), bare names."""

    parses: bool = True
    blocks: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)
    relations: list[tuple[str, str]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def score(prompt: str, answer: str, required_fields: tuple[str, ...] = ()) -> Scored:
    """Score an answer for the entities that the prompt asks for, under the wish for `required_fields`."""
    asked = asked_entities(prompt)
    fenced = _FENCE.fullmatch(answer.strip())
    text = fenced["body"] if fenced else answer
    drawn = _read(text)
    parts = {
        "parses": float(drawn.parses),
        "entities": len(asked & drawn.blocks.keys()) / max(len(asked), len(drawn.blocks), 1),
        "keys": _keys(drawn, asked, required_fields),
        "relations": _relations(drawn, asked),
        "placeholders": float(_has_no_placeholders(drawn, text)),
    }
    return Scored(sum(POINTS[name] * value for name, value in parts.items()), parts)


def mean_score(pairs: list[tuple[str, str]], required_fields: tuple[str, ...] = ()) -> float:
    """The mean score, in [0, 1], of (prompt, answer) pairs; 0 for none."""
    return sum(score(prompt, answer, required_fields).score for prompt, answer in pairs) / max(len(pairs), 1)


def asked_entities(prompt: str) -> set[str]:
    """The names after `entities:` in the prompt, up to the full stop."""
    found = _ASKED.search(prompt)
    return {name.strip() for name in found["names"].split(",")} - {""} if found else set()


def _keys(drawn: _Diagram, asked: set[str], required_fields: tuple[str, ...]) -> float:
    def is_right(name: str) -> bool:
        attributes = drawn.blocks.get(name, [])
        has_key = any(is_key for _, is_key in attributes)
        return has_key and set(required_fields) <= {attribute for attribute, _ in attributes}

    return sum(map(is_right, asked)) / max(len(asked), 1)


def _relations(drawn: _Diagram, asked: set[str]) -> float:
    inside = [pair for pair in drawn.relations if asked.issuperset(pair)]
    if len(asked) == 1:
        return float(asked <= drawn.blocks.keys() and len(inside) == len(drawn.relations))
    return len({name for pair in inside for name in pair}) / max(len(asked), 1)


def _has_no_placeholders(drawn: _Diagram, text: str) -> bool:
    entities = {*drawn.blocks, *drawn.others, *(name for pair in drawn.relations for name in pair)}
    names = {attribute for attributes in drawn.blocks.values() for attribute, _ in attributes}
    found = any(map(_PLACEHOLDER.fullmatch, entities | names | set(drawn.labels)))
    return bool(entities) and not found and "..." not in text and "TODO" not in text


def _read(text: str) -> _Diagram:
    """The diagram of the whole text; where that does not parse, of its readable lines."""
    body = _COMMENT.sub("", text).strip()
    head = re.match(r"erDiagram(?![\w\-*.])", body)
    whole = _read_statements(body[head.end() :]) if head else None
    return whole or _read_lines(body)


def _read_statements(text: str) -> _Diagram | None:
    """Statements from end to end, on one line or many; None where something else stands between them."""
    drawn, at = _Diagram(), 0
    while text[at:].strip():
        found = _STATEMENT.match(text, len(text) - len(text[at:].lstrip()))
        if not found:
            return None
        at = found.end()
        _note(found, drawn)
        if found["name"]:
            attributes, at = _read_attributes(text, at)
            closed = _CLOSE.match(text, at)
            if not closed:
                return None
            drawn.blocks.setdefault(_plain(found["name"]), []).extend(attributes)
            at = closed.end()
    return drawn


def _note(found: re.Match[str], drawn: _Diagram) -> None:
    """Keep what a statement names, apart from the attributes of a block."""
    if found["label"]:
        drawn.relations.append((_plain(found["left"]), _plain(found["right"])))
        drawn.labels.append(_plain(found["label"]))
    if found["bare"]:
        drawn.others.append(_plain(found["bare"]))
    drawn.labels.extend(_plain(alias) for alias in (found["alias"], found["bare_alias"]) if alias)


def _read_attributes(text: str, at: int) -> tuple[list[tuple[str, bool]], int]:
    """As many attributes as stand from `at` on, and where they end."""
    attributes = []
    while found := _ATTRIBUTE.match(text, at):
        attributes.append((found["name"], "PK" in (found["keys"] or "").upper()))
        at = found.end()
    return attributes, at


def _read_lines(text: str) -> _Diagram:
    drawn, inside = _Diagram(parses=False), None
    for line in filter(None, map(str.strip, text.splitlines())):
        inside = _read_line(line, inside, drawn)
    return drawn


def _read_line(line: str, inside: str | None, drawn: _Diagram) -> str | None:
    """Take in one line that may follow anything; returns the entity whose block is open after it."""
    if inside is not None:
        attributes, at = _read_attributes(line, 0)
        if line[at:].strip() in ("", "}"):
            drawn.blocks[inside].extend(attributes)
            return None if line.endswith("}") else inside
    if "{" not in line and ":" not in line:
        return inside
    whole = _read_statements(line)
    found = whole or _read_statements(line + " }")
    if not found or not (found.blocks or found.relations):
        return inside
    for name, attributes in found.blocks.items():
        drawn.blocks.setdefault(name, []).extend(attributes)
    drawn.relations += found.relations
    drawn.labels += found.labels
    return None if whole else list(found.blocks)[-1]


def _plain(name: str) -> str:
    return name.strip('"')


def main(arguments: list[str]) -> int:
    """Print the mean score and parts, in points of 100, of a file of JSON lines; returns the exit code."""
    if not arguments:
        print("usage: python -m examples.erd.score FILE [REQUIRED_FIELD ...]", file=sys.stderr)
        return 2
    rows = [json.loads(line) for line in Path(arguments[0]).read_text("utf-8").splitlines() if line.strip()]
    if not rows:
        print(f"{arguments[0]} holds no lines; write one JSON object a line with prompt and answer", file=sys.stderr)
        return 2
    scored = [score(row["prompt"], row["answer"], tuple(arguments[1:])) for row in rows]
    print(f"{100 * sum(one.score for one in scored) / len(scored):.1f} of 100, mean of {len(scored)} answers")
    for name, points in POINTS.items():
        mean = sum(one.parts[name] for one in scored) / len(scored)
        print(f"  {name:<13} {100 * points * mean:5.1f} of {100 * points:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
