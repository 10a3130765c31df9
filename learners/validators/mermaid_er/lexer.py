"""Tokens of Mermaid's `erDiagram`.

The language has three modes: outside, inside an entity's block, and inside a style. Within a mode the first rule that
matches wins, not the longest; that, and letter case being ignored, is why an entity cannot be called `Class`, `End` or
`One`. Rules follow Mermaid 11.17; `\\s`, `\\w` and `\\b` there are JavaScript's, so they are spelled out here.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    """Token kinds."""

    __hash__ = object.__hash__  # each kind is one object; Enum's own hash costs more than finding the token

    HEADER = auto()
    NEWLINE = auto()
    TEXT = auto()  # an unquoted word
    NUMBER = auto()  # may name an entity, nothing else
    QUOTED_NAME = auto()
    QUOTED = auto()  # a quoted text that may label a relation, but not name an entity
    CARDINALITY = auto()
    LINE = auto()
    TITLE = auto()  # accTitle, accDescr and direction: complete statements, their text taken along
    BLOCK_OPEN = auto()
    BLOCK_CLOSE = auto()
    ATTRIBUTE_WORD = auto()
    ATTRIBUTE_KEY = auto()
    OPTIONAL = auto()
    COMMENT = auto()
    BRACKET_OPEN = auto()
    BRACKET_CLOSE = auto()
    COLON = auto()
    COMMA = auto()
    CLASS_MARK = auto()
    HASH = auto()
    SEMICOLON = auto()
    STYLE = auto()
    CLASS_DEF = auto()
    CLASS = auto()
    STYLE_TEXT = auto()
    SUBGRAPH = auto()
    SUBGRAPH_END = auto()
    NOTHING = auto()  # takes up text and means nothing
    BACKQUOTE = auto()
    ACC_LINE = auto()
    ACC_BLOCK = auto()
    BAD = auto()  # nothing the language knows; no statement accepts it
    END = auto()


class Token(NamedTuple):
    """One token; `position` is its first character's index in the preprocessed text."""

    kind: Kind
    text: str
    position: int


_SPACE = "[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
_BEYOND_ASCII = "\u0080-\U0010ffff"
_LETTERS = "\u00c0-\U0010ffff"
_FLAGS = re.IGNORECASE | re.ASCII


class _Mode:
    """Rules tried in order after spaces, as one pattern; a kind may come twice, so groups go by number."""

    def __init__(self, spaces: str, *rules: tuple[Kind, str]) -> None:
        rules = (*rules, (Kind.END, r"\Z"), (Kind.BAD, "(?s:.)"))  # so that something always matches
        self.kinds = tuple(kind for kind, _ in rules)
        self._pattern = re.compile(f"{spaces}(?:{'|'.join(f'({rule})' for _, rule in rules)})", _FLAGS)

    def next(self, text: str, position: int) -> tuple[Kind, int, int]:
        """Kind, start and end of the next token at or after a position."""
        found = self._pattern.match(text, position)
        assert found, "BAD or END matches where nothing else does"
        group = found.lastindex or 0
        return self.kinds[group - 1], *found.span(group)


_OUTSIDE = _Mode(
    r"[ \t\r]*",
    (Kind.ACC_LINE, rf"acc(?:Title|Descr){_SPACE}*:{_SPACE}*"),
    (Kind.ACC_BLOCK, rf"accDescr{_SPACE}*\{{{_SPACE}*"),
    (Kind.NEWLINE, r"\n+"),
    (Kind.QUOTED_NAME, r'"[^"%\r\n\v\x08\\]+"'),
    (Kind.QUOTED, r'"[^"]*"'),
    (Kind.HEADER, r"erDiagram\b"),
    (Kind.BLOCK_OPEN, r"\{"),
    (Kind.HASH, r"#"),
    (Kind.COMMA, r","),
    (Kind.CLASS_MARK, r":::"),
    (Kind.COLON, r":"),
    (Kind.BRACKET_OPEN, r"\["),
    (Kind.BRACKET_CLOSE, r"\]"),
    (Kind.STYLE, r"style\b"),
    (Kind.CLASS_DEF, r"classDef\b"),
    (Kind.CLASS, r"class\b"),
    (Kind.SUBGRAPH, r"subgraph\b"),
    (Kind.SUBGRAPH_END, rf"end\b{_SPACE}*"),
    (Kind.CARDINALITY, r"one or (?:zero|more|many)\b|1\+|\|o\b|zero or (?:one|more|many)\b|0\+|\}o\b"),
    (Kind.CARDINALITY, r"many\([01]\)|many\b|\}\||one\b|only one\b"),
    (Kind.NUMBER, r"[0-9]+\.[0-9]+"),
    # A bare 1 is a cardinality where a name or a line follows, and else the name of an entity.
    (Kind.CARDINALITY, rf"1(?={_SPACE}+[A-Za-z0-9_\"']|--|\.\.|\.-|-\.)"),
    (Kind.NUMBER, r"[0-9]+"),
    (Kind.CARDINALITY, r"\|\||o\||o\{|\|\{|u(?=[.\-|])"),
    (Kind.LINE, r"\.\.|--|to\b|optionally to\b|\.-|-\."),
    (Kind.TEXT, rf"[\w\-*.{_BEYOND_ASCII}]+"),
)
_BLOCK = _Mode(
    f"{_SPACE}*",
    (Kind.ATTRIBUTE_KEY, r"[PFU]K\b"),
    (Kind.ATTRIBUTE_WORD, rf"[*A-Za-z_{_LETTERS}][\w\-\[\]().,*{_LETTERS}]*"),
    (Kind.BACKQUOTE, r"`"),
    (Kind.COMMENT, r'"[^"]*"'),
    (Kind.BLOCK_CLOSE, r"\}"),
    (Kind.COMMA, r","),
    (Kind.OPTIONAL, r"\?"),
)
_STYLE = _Mode(
    rf"(?:(?!\n){_SPACE}+)?",  # a newline after a space is a space, and the style goes on below it
    (Kind.NEWLINE, r"\n+"),
    (Kind.COLON, r":"),
    (Kind.COMMA, r","),
    (Kind.HASH, r"#"),
    (Kind.STYLE_TEXT, rf"[\w\-*{_BEYOND_ASCII}]+"),
    (Kind.SEMICOLON, r";"),
)
_NEXT_MODE = {
    Kind.BLOCK_OPEN: _BLOCK,
    Kind.BLOCK_CLOSE: _OUTSIDE,
    Kind.STYLE: _STYLE,
    Kind.CLASS_DEF: _STYLE,
    Kind.NEWLINE: _OUTSIDE,
}
_DIRECTION = re.compile(rf"direction{_SPACE}+(?:TB|BT|RL|LR)", _FLAGS)
_ANY_SPACE = re.compile(_SPACE)


def tokens(text: str, in_block: bool = False) -> Iterator[Token]:
    """The tokens of a preprocessed text, lazily, closed by an END. A character that fits no rule is a BAD token."""
    directions, generics = _Directions(text), _Generics(text)
    mode, position, kind = _BLOCK if in_block else _OUTSIDE, 0, Kind.BAD
    while kind is not Kind.END:
        token, position = _token(text, position, mode, directions, generics)
        kind = token.kind
        mode = _NEXT_MODE.get(kind, mode)
        if kind is not Kind.NOTHING:
            yield token


def _token(text: str, position: int, mode: _Mode, directions: _Directions, generics: _Generics) -> tuple[Token, int]:
    """The next token at or after a position and where it ends."""
    kind, start, end = mode.next(text, position)
    if mode is _OUTSIDE:
        if kind is Kind.ACC_LINE or kind is Kind.ACC_BLOCK:
            return _accessibility(text, start, end, kind)
        if kind is not Kind.NEWLINE and (line_end := directions.end_of(start)) is not None:
            return Token(Kind.TITLE, "", start), line_end
    elif mode is _BLOCK:
        if kind is not Kind.ATTRIBUTE_KEY and (word_end := generics.end_of(start)) is not None:
            return Token(Kind.ATTRIBUTE_WORD, text[start:word_end], start), word_end
        if kind is Kind.BACKQUOTE:
            return _backquoted(text, start)
    return Token(kind, text[start:end], start), end


def _accessibility(text: str, position: int, end: int, kind: Kind) -> tuple[Token, int]:
    """`accTitle: ...` to the end of the line, or `accDescr { ... }` to its brace; nothing after either is an error."""
    close = text.find("\n" if kind is Kind.ACC_LINE else "}", end)
    if close < 0:
        return Token(Kind.BAD, "", position), len(text)
    if kind is Kind.ACC_LINE:
        return Token(Kind.TITLE, text[end:close], position), close
    return Token(Kind.TITLE if close > end else Kind.NOTHING, text[end:close], position), close + 1


def _backquoted(text: str, position: int) -> tuple[Token, int]:
    """A type or name between backquotes, which may hold anything; an empty pair is nothing at all."""
    close = text.find("`", position + 1)
    close = len(text) if close < 0 else close
    word = text[position + 1 : close]
    return Token(Kind.ATTRIBUTE_WORD if word else Kind.NOTHING, word, position), close + 1


class _Directions:
    """Where `direction TB` stands. Mermaid takes the whole line for it, whatever comes before and after on it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found = [match.span() for match in _DIRECTION.finditer(text)]
        self._starts = [start for start, _ in self._found]

    def end_of(self, position: int) -> int | None:
        """The end of the line if it still holds a direction at or after `position`."""
        if not self._found or (index := bisect_left(self._starts, position)) == len(self._found):
            return None
        start, end = self._found[index]
        if self._text.find("\n", position, start) >= 0:
            return None
        line_end = self._text.find("\n", end)
        return len(self._text) if line_end < 0 else line_end


class _Generics:
    """Types such as `map~string, int~`: from a word with a tilde to the last tilde on the line, and on to a space.

    What was found for one tilde is remembered, so that a long run of odd characters is not searched at each of them.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tilde = text.find("~")
        self._space = -1
        self._word_end: int | None = None
        if self._tilde >= 0:
            self._look()

    def end_of(self, position: int) -> int | None:
        """The end of the generic word that starts at `position`, if one does."""
        if self._tilde < 0:
            return None
        if self._tilde < position:
            self._tilde = self._text.find("~", position)
            if self._tilde < 0:
                return None
            self._look()
        if self._space < position:
            space = _ANY_SPACE.search(self._text, position)
            self._space = space.start() if space else len(self._text)
        return self._word_end if self._tilde < self._space else None

    def _look(self) -> None:
        line_end = self._text.find("\n", self._tilde)
        last = self._text.rfind("~", self._tilde + 1, len(self._text) if line_end < 0 else line_end)
        if last < 0:
            self._word_end = None
            return
        space = _ANY_SPACE.search(self._text, last)
        self._word_end = space.start() if space else len(self._text)
