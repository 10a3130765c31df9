"""A recursive-descent parser for Mermaid's `erDiagram`: one look-ahead, no backtracking, no recursion to run out of.

What it accepts is what Mermaid 11.17 accepts, including what looks odd: several statements may share a line, a word
after a relation's label is an entity of its own, and a newline ends a statement wherever it stands.
"""

from __future__ import annotations

from storage.records import AdaptdError

from .diagram import Attribute, Diagram, Entity, Relation, build
from .lexer import Kind, Token, tokens
from .preprocess import preprocess

_NAMES = frozenset({Kind.TEXT, Kind.NUMBER, Kind.QUOTED_NAME})
_LABELS = frozenset({Kind.TEXT, Kind.QUOTED, Kind.QUOTED_NAME})
_IDS = frozenset({Kind.TEXT, Kind.STYLE_TEXT})
_STYLE_PARTS = frozenset({Kind.STYLE_TEXT, Kind.COLON, Kind.HASH})
_SEPARATORS = frozenset({Kind.NEWLINE, Kind.SEMICOLON})


class ErSyntaxError(AdaptdError):
    """The text is not an ER diagram that Mermaid would draw. Says where and what was expected, not what stood there.

    To do: nothing; an answer that does not parse scores less.

    Shows as: the validator's sub-check `parses`.
    """

    def __init__(self, line: int, expected: str) -> None:
        super().__init__(line, expected)
        self.line, self.expected = line, expected

    def __str__(self) -> str:
        return f"line {self.line} of the diagram, comments and front matter not counted: expected {self.expected}"


def parse(text: str) -> Diagram:
    """Read a whole diagram, front matter and comments included. Raises ErSyntaxError."""
    code = preprocess(text)
    if not code.startswith("erDiagram"):  # unlike the rest, Mermaid wants the first word in just these letters
        raise ErSyntaxError(1, "the word erDiagram")
    parser = Parser(code)
    parser.expect(frozenset({Kind.HEADER}), "the word erDiagram")
    return parser.document()


class Parser:
    """Reads statements from a preprocessed text, with or without the header before them."""

    def __init__(self, code: str, in_block: bool = False) -> None:
        self._code = code
        self._tokens = tokens(code, in_block)
        self._token: Token = next(self._tokens)
        self._entities: list[Entity] = []
        self._relations: list[Relation] = []
        self._open_subgraphs = 0

    def document(self) -> Diagram:
        """Statements to the end of the text. Raises ErSyntaxError."""
        while self._token.kind is not Kind.END:
            self._statement()
        if self._open_subgraphs:
            self._fail("the word end for an open subgraph")
        return build(self._entities, self._relations)

    def attribute_line(self) -> tuple[tuple[Attribute, ...], bool]:
        """A text of nothing but attributes, and whether a brace closes their block. Raises ErSyntaxError."""
        attributes, closes = self._attributes(), self._take(Kind.BLOCK_CLOSE)
        if self._token.kind is not Kind.END:
            self._fail("nothing behind the closing brace")
        return attributes, closes

    def _attributes(self) -> tuple[Attribute, ...]:
        found = []
        while self._token.kind not in (Kind.BLOCK_CLOSE, Kind.END):
            found.append(self._attribute())
        return tuple(found)

    def expect(self, kinds: frozenset[Kind], expected: str) -> str:
        """Take the next token if it is of these kinds, and give its text. Raises ErSyntaxError."""
        if self._token.kind not in kinds:
            self._fail(expected)
        text = self._token.text
        self._token = next(self._tokens)
        return text

    def _fail(self, expected: str) -> None:
        raise ErSyntaxError(self._code.count("\n", 0, self._token.position) + 1, expected)

    def _take(self, kind: Kind) -> bool:
        if self._token.kind is not kind:
            return False
        self._token = next(self._tokens, self._token)
        return True

    def _statement(self) -> None:
        kind = self._token.kind
        if kind in _NAMES:
            self._entity_or_relation()
        elif kind in (Kind.STYLE, Kind.CLASS_DEF):
            self._style()
        elif kind is Kind.CLASS:
            self._class()
        elif kind is Kind.SUBGRAPH:
            self._subgraph()
        elif kind is Kind.SUBGRAPH_END and self._open_subgraphs:
            self._take(kind)
            self._open_subgraphs -= 1
        else:
            self.expect(frozenset({Kind.NEWLINE, Kind.TITLE}), "an entity, a relation or another statement")

    def _name(self) -> str:
        return self.expect(_NAMES, "the name of an entity").strip('"')

    def _entity_or_relation(self) -> None:
        name = self._name()
        label = self._bracketed_label()
        if self._take(Kind.CLASS_MARK):
            self._ids()
        if self._token.kind is Kind.CARDINALITY and label is None:
            self._relation(name)
        elif self._take(Kind.BLOCK_OPEN):
            attributes = self._attributes()
            self.expect(frozenset({Kind.BLOCK_CLOSE}), "an attribute or a closing brace")
            self._entities.append(Entity(name, label, attributes, has_block=True))
        else:
            self._entities.append(Entity(name, label))

    def _bracketed_label(self) -> str | None:
        if not self._take(Kind.BRACKET_OPEN):
            return None
        label = self._name()
        self.expect(frozenset({Kind.BRACKET_CLOSE}), "a closing bracket")
        return label

    def _relation(self, left: str) -> None:
        self.expect(frozenset({Kind.CARDINALITY}), "a cardinality")
        self.expect(frozenset({Kind.LINE}), "a line such as -- or ..")
        self.expect(frozenset({Kind.CARDINALITY}), "a cardinality")
        right = self._name()
        if self._take(Kind.CLASS_MARK):
            self._ids()
        self.expect(frozenset({Kind.COLON}), "a colon and the relation's label")
        label = self.expect(_LABELS, "the relation's label").replace('"', "")
        self._relations.append(Relation(left, right, label))

    def _attribute(self) -> Attribute:
        word = frozenset({Kind.ATTRIBUTE_WORD})
        type_ = self.expect(word, "an attribute's type or a closing brace")
        self._take(Kind.OPTIONAL)
        name = self.expect(word, "an attribute's name")
        keys = self._keys() if self._token.kind is Kind.ATTRIBUTE_KEY else frozenset[str]()
        self._take(Kind.COMMENT)
        return Attribute(type_, name, keys)

    def _keys(self) -> frozenset[str]:
        keys = [self.expect(frozenset({Kind.ATTRIBUTE_KEY}), "PK, FK or UK").upper()]
        while self._take(Kind.COMMA):
            keys.append(self.expect(frozenset({Kind.ATTRIBUTE_KEY}), "PK, FK or UK").upper())
        return frozenset(keys)

    def _ids(self) -> None:
        self.expect(_IDS, "a name")
        while self._take(Kind.COMMA):
            self.expect(_IDS, "a name")

    def _class(self) -> None:
        self._take(Kind.CLASS)
        self._ids()
        self._ids()

    def _style(self) -> None:
        """`style ids rules` and `classDef ids rules` are one shape; rules are runs of parts between commas."""
        self.expect(frozenset({Kind.STYLE, Kind.CLASS_DEF}), "a style")
        self._ids()
        self._style_parts()
        while self._take(Kind.COMMA):
            self._style_parts()
        self.expect(_SEPARATORS, "the end of the line")

    def _style_parts(self) -> None:
        self.expect(_STYLE_PARTS, "a style")
        while self._token.kind in _STYLE_PARTS:
            self.expect(_STYLE_PARTS, "a style")

    def _subgraph(self) -> None:
        self._take(Kind.SUBGRAPH)
        self._name()
        if self._take(Kind.BRACKET_OPEN):
            self._name()
            while self._token.kind in _NAMES:
                self._name()
            self.expect(frozenset({Kind.BRACKET_CLOSE}), "a closing bracket")
        self.expect(_SEPARATORS, "the end of the line")
        self._open_subgraphs += 1
