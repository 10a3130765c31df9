"""Small changes to ER diagrams whose effect is known from how they are made, to test a parser with.

A kind of mutation says beforehand whether its result must still parse, and why. It works on the text with rules of its
own and never asks the parser. A kind that cannot be applied to a diagram, or whose effect there would not be certain
(words that Mermaid reads to the end of the line, backquotes), answers None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

Change = Callable[[str, Random], str | None]
Rewrite = Callable[[re.Match[str], Random], str]

_RELATION = re.compile(
    r"^([ \t]*)([A-Z][\w-]*) (\|\||\}o|\}\||\|o)(--|\.\.)(\|\||o\{|\|\{|o\|) ([A-Z][\w-]*) : (\S.*)$", re.M
)
_BLOCK_START = re.compile(r"^[ \t]*[A-Z][\w-]* \{$", re.M)
_BLOCK_END = re.compile(r"^[ \t]*\}$", re.M)
_ATTRIBUTE = re.compile(r"^([ \t]+)([a-z]\w*) +([a-zA-Z]\w*)[ \t]*$", re.M)
_NAME = re.compile(r"(?<![\w\-\"./])[A-Z][A-Z_-]{3,}(?![\w\-\".])")
_QUOTED_LABEL = re.compile(r': "[\w ]+"$', re.M)
_MIRROR = {"||": "||", "}o": "o{", "}|": "|{", "|o": "o|", "o{": "}o", "|{": "}|", "o|": "|o"}
_WORDS = {"||": "only one", "}o": "zero or more", "o{": "zero or more", "}|": "one or more", "|{": "one or more"}
_WORDS |= {"|o": "zero or one", "o|": "zero or one", "--": "to", "..": "optionally to"}
_UNCERTAIN = re.compile(r"direction|acc(?:title|descr)|style|class|subgraph|~|`|%|---", re.I)


@dataclass(frozen=True)
class Kind:
    """One way to change a diagram."""

    name: str
    parses: bool  # what a parser must say of the result
    why: str
    change: Change


@dataclass(frozen=True)
class Mutant:
    """A changed diagram, and the verdict that is right for it."""

    kind: Kind
    text: str


def mutants(diagrams: Sequence[str], count: int, seed: int) -> Iterator[Mutant]:
    """`count` different mutants of diagrams that parse, the kinds taking turns. Same seed, same mutants."""
    random, seen = Random(seed), set(diagrams)
    for number in range(count):
        mutant = _fresh(KINDS[number % len(KINDS)], diagrams, random, seen)
        seen.add(mutant.text)
        yield mutant


def _fresh(kind: Kind, diagrams: Sequence[str], random: Random, seen: set[str]) -> Mutant:
    for diagram in random.sample(diagrams, len(diagrams)):
        text = kind.change(diagram, random)
        if text is not None and text not in seen:
            return Mutant(kind, text)
    raise LookupError(f"no diagram is left for the mutation {kind.name!r}; give more diagrams or ask for fewer")


def _pick(pattern: re.Pattern[str], text: str, random: Random) -> re.Match[str] | None:
    found = list(pattern.finditer(text))
    return random.choice(found) if found else None


def _replacing(pattern: re.Pattern[str], new: Rewrite, certain: bool = False) -> Change:
    """Replace one match, drawn by chance; `certain` leaves out diagrams with words that hide what follows them."""

    def change(text: str, random: Random) -> str | None:
        found = None if certain and _UNCERTAIN.search(text) else _pick(pattern, text, random)
        return found and text[: found.start()] + new(found, random) + text[found.end() :]

    return change


def _breaking(pattern: re.Pattern[str], new: Rewrite) -> Change:
    return _replacing(pattern, new, certain=True)


def _after_a_line(new: Callable[[Random], str]) -> Change:
    """Put lines after the header or any line below it."""

    def change(text: str, random: Random) -> str | None:
        if "accDescr" in text:  # whose text may run over lines
            return None
        head, header, rest = text.partition("erDiagram\n")
        lines = rest.split("\n")
        place = random.randrange(len(lines) + 1)
        return "\n".join([head + header.rstrip("\n"), *lines[:place], new(random), *lines[place:]]) if header else None

    return change


def _appending(new: Callable[[Random], str], certain: bool = False) -> Change:
    """Put lines at the end, but not below an entity called 1: before a name, that is a cardinality."""

    def change(text: str, random: Random) -> str | None:
        if (certain and _UNCERTAIN.search(text)) or text.split()[-1] == "1":
            return None
        return f"{text.rstrip()}\n{new(random)}"

    return change


def _whole(change: Callable[[str], str], certain: bool = False) -> Change:
    return lambda text, _: None if certain and _UNCERTAIN.search(text) else change(text)


def _relation(found: re.Match[str], **changed: str) -> str:
    """A relation's line again, some of its parts changed."""
    names = ("indent", "left", "near", "line", "far", "right", "label")
    part = dict(zip(names, found.groups(), strict=True)) | changed
    return f"{part['indent']}{part['left']} {part['near']}{part['line']}{part['far']} {part['right']} : {part['label']}"


def _mirrored(found: re.Match[str], _: Random) -> str:
    near, far = _MIRROR[found[5]], _MIRROR[found[3]]
    return _relation(found, left=found[6], right=found[2], near=near, far=far)


def _in_words(found: re.Match[str], _: Random) -> str:
    return _relation(found, near=_WORDS[found[3]], line=f" {_WORDS[found[4]]} ", far=_WORDS[found[5]])


def _other_ends(found: re.Match[str], random: Random) -> str:
    near, far = random.choice(("||", "}o", "}|", "|o")), random.choice(("||", "o{", "|{", "o|"))
    return _relation(found, near=near, far=far)


def _rename(new: Callable[[Random], str]) -> Change:
    def change(text: str, random: Random) -> str | None:
        found = None if _UNCERTAIN.search(text) else _pick(_NAME, text, random)
        return found and re.sub(rf"(?<![\w-]){re.escape(found[0])}(?![\w-])", new(random), text)

    return change


def _swap_relations(text: str, random: Random) -> str | None:
    found = list(_RELATION.finditer(text))
    if len({match[0].strip() for match in found}) < 2:
        return None
    first, second = sorted(random.sample(found, 2), key=lambda match: match.start())
    between = text[first.end() : second.start()]
    return text[: first.start()] + second[0] + between + first[0] + text[second.end() :]


def _cut_off(text: str, random: Random) -> str | None:
    found = None if _UNCERTAIN.search(text) else _pick(_BLOCK_START, text, random)
    return found and f"{text[: found.end()]}\n    int id"


def _fresh_name(random: Random) -> str:
    return f"Thing{random.randrange(1000)}"


def _block(random: Random) -> str:
    return f'  {_fresh_name(random)} {{\n    int id PK\n    string name UK "a comment"\n  }}'


def _with_header(new: str) -> Callable[[str], str]:
    return lambda text: text.replace("erDiagram", new, 1)


KEEPING = (
    Kind("comment line", True, "comments are taken away", _after_a_line(lambda r: f"%% note {r.randrange(99)}")),
    Kind("blank lines", True, "empty lines mean nothing", _after_a_line(lambda r: "\n" * r.randrange(1, 4))),
    Kind("new entity", True, "one more block", _appending(_block)),
    Kind("bare entity", True, "a name alone is an entity", _appending(_fresh_name)),
    Kind("rename entity", True, "names are free, keywords apart", _rename(_fresh_name)),
    Kind("swap relations", True, "order is free", _swap_relations),
    Kind("mirror relation", True, "each end has a mirror image", _replacing(_RELATION, _mirrored)),
    Kind("other cardinalities", True, "any end goes with any", _replacing(_RELATION, _other_ends)),
    Kind("cardinalities in words", True, "words for symbols", _replacing(_RELATION, _in_words)),
    Kind(
        "quoted label", True, "a label may be quoted", _replacing(_RELATION, lambda m, _: _relation(m, label='"a b"'))
    ),
    Kind(
        "quoted entity",
        True,
        "a name may be quoted",
        _replacing(_RELATION, lambda m, _: _relation(m, left=f'"{m[2]}"')),
    ),
    Kind("no relation", True, "no relation is required", _replacing(_RELATION, lambda *_: "")),
    Kind(
        "key and comment",
        True,
        "an attribute may have both",
        _replacing(_ATTRIBUTE, lambda m, _: f'{m[1]}{m[2]} {m[3]} PK, FK "x"', certain=True),
    ),
    Kind(
        "one more attribute",
        True,
        "a block may grow",
        _replacing(_BLOCK_START, lambda m, _: f"{m[0]}\n    string(30) note"),
    ),
    Kind("carriage returns", True, "line ends of either sort", _whole(lambda text: text.replace("\n", "\r\n"))),
    Kind(
        "directive",
        True,
        "directives are taken away",
        _whole(_with_header('%%{init: {"theme": "dark"}}%%\nerDiagram'), True),
    ),
)
BREAKING = (
    Kind("no closing brace", False, "a block must end", _breaking(_BLOCK_END, lambda *_: "")),
    Kind("no opening brace", False, "a brace closes nothing", _breaking(_BLOCK_START, lambda m, _: m[0].rstrip("{"))),
    Kind("half a cardinality", False, "| is no cardinality", _breaking(_RELATION, lambda m, _: _relation(m, near="|"))),
    Kind("half a line", False, "- is no line", _breaking(_RELATION, lambda m, _: _relation(m, line="-"))),
    Kind(
        "an arrow", False, "--> is no relation", _breaking(_RELATION, lambda m, _: f"{m[1]}{m[2]} --> {m[6]} : {m[7]}")
    ),
    Kind(
        "no label", False, "a colon wants a label", _breaking(_RELATION, lambda m, _: _relation(m, label="").rstrip())
    ),
    Kind(
        "no colon",
        False,
        "a relation wants a label",
        _breaking(_RELATION, lambda m, _: _relation(m).partition(" : ")[0]),
    ),
    Kind("no right end", False, "a relation has two ends", _breaking(_RELATION, lambda m, _: _relation(m, right=""))),
    Kind("no left end", False, "a relation has two ends", _breaking(_RELATION, lambda m, _: _relation(m, left=""))),
    Kind(
        "reserved name",
        False,
        "a keyword names nothing",
        _rename(lambda r: r.choice(("Class", "Style", "end", "Many", "one"))),
    ),
    Kind(
        "type without name",
        False,
        "words in a block come in pairs",
        _breaking(_ATTRIBUTE, lambda m, _: f"{m[1]}{m[2]}"),
    ),
    Kind("keys without comma", False, "keys are a list", _breaking(_ATTRIBUTE, lambda m, _: f"{m[0].rstrip()} PK FK")),
    Kind(
        "unknown key",
        False,
        "a third word starts a pair",
        _breaking(_ATTRIBUTE, lambda m, _: f"{m[0].rstrip()} PRIMARY"),
    ),
    Kind("semicolon", False, "attributes end without one", _breaking(_ATTRIBUTE, lambda m, _: f"{m[0].rstrip()};")),
    Kind("name: type", False, "no colon in a block", _breaking(_ATTRIBUTE, lambda m, _: f"{m[1]}{m[3]}: {m[2]}")),
    Kind("open quote", False, "quotes come in pairs", _breaking(_QUOTED_LABEL, lambda m, _: m[0][:-1])),
    Kind("other header", False, "the first word is erDiagram", _whole(_with_header("erdiagram"), True)),
    Kind(
        "talk before", False, "the first word is erDiagram", _whole(lambda text: f"Here is the diagram:\n{text}", True)
    ),
    Kind("talk after", False, "no comma between statements", _appending(lambda _: "That is all, I hope.", True)),
    Kind("cut off", False, "a block must end", _cut_off),
)
KINDS = tuple(kind for pair in zip(KEEPING, BREAKING, strict=False) for kind in pair) + BREAKING[len(KEEPING) :]
