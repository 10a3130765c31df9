"""The grammar, feature by feature; each verdict is that of Mermaid 11.17.2, which was run on all of them."""

from __future__ import annotations

import pytest

from bench.validators import real_diagrams
from learners.validators.mermaid_er import Attribute, ErSyntaxError, Relation, parse

REAL = real_diagrams()
STYLED = "class A b\nclass A,B b,c\nstyle A fill:#f9f,stroke-width:4px\nclassDef c fill:#f96,stroke: red;\nclassDef d a"

ACCEPTED = {
    "nothing but the header": "erDiagram",
    "front matter": "---\ntitle: A\n---\nerDiagram\nA",
    "indented front matter": "  ---\n  title: A\n  ---\nerDiagram\nA",
    "a directive": '%%{init: {"theme": "dark"}}%%\nerDiagram\nA',
    "a directive over lines": '%%{\ninit: {\n"theme": "dark"}\n}%%\nerDiagram\nA',
    "a bare directive in the middle": "erDiagram\nA\n%%{wrap}%%\nB",
    "comments": "%% one\nerDiagram\n%% two\nA {\n%% three\nint id\n}\n%% four",
    "carriage returns": "erDiagram\r\nA {\r\nint id\r\n}\r\n",
    "statements on one line": "erDiagram A B A ||--o{ B : x C { int id string name } D",
    "every symbol": "erDiagram\n A |o--o| B : x\n A ||..|| B : x\n A }o--o{ B : x\n A }|..|{ B : x\n A u--|| B : x",
    "both mixed lines": "erDiagram\n A ||.-|| B : x\n A ||-.|| B : x",
    "no spaces": "erDiagram\nA||--o{B:x",
    "words": "erDiagram\nA one or zero to many B : x\nA 1+ optionally to 0+ B : x\nA ONLY ONE TO MANY(1) B : x",
    "one in digits": "erDiagram\nA 1 to 1 B : x\nA 1--1 B : x\nA 1 to 1 2 : x",
    "names of digits": "erDiagram\n2.5 ||--|| 12 : x\n12 { int id }\n1",
    "names with dots and dashes": "erDiagram\nLINE-ITEM ||--|| a.b : x",
    "names beyond ASCII": "erDiagram\nKundé ||--|| 顧客 : 持つ\nKundé { string näme }",
    "quoted names": 'erDiagram\n"Line item" { int id }\n"a::b" ||--|| "Line item" : "has"',
    "any quoted label": 'erDiagram\nA ||--|| B : ""\nA ||--|| B : "100 % \\ it\nis"',
    "a tag with quotes in a label": 'erDiagram\nA ||--|| B : "a<b class="c">d"',
    "a label in brackets": 'erDiagram\nc[Customer]\nd["A customer"] { int id }\ne[E]:::k\nf[F]:::k,l { int id }',
    "class marks": "erDiagram\nA:::k\nB:::k,l {}\nA:::k ||--|| B:::l : x\nA:::k ||--|| B : x\nA ||--|| B:::l : x",
    "styles": f"erDiagram\n{STYLED}",
    "a style that ends in the middle": "erDiagram\nstyle A fill:#f9f; stroke:red",
    "a direction": "erDiagram\ndirection LR\nA\n direction   bt whatever } follows",
    "a title and a description": "erDiagram\naccTitle: a } b\naccDescr : c\naccDescr {\n many {\n lines }\nA",
    "an empty description": "erDiagram\naccDescr {}\nA",
    "a subgraph": 'erDiagram\nsubgraph s\nA\nsubgraph t [My "group" 2]\nB\nend\nend\nC',
    "an empty block": "erDiagram\nA {}\nB {\n}",
    "odd types": "erDiagram\nA {\nvarchar(99) a\nstring[] b\ndecimal(10,2) c\nmap~string, int~ d\n*t *e\nint? f\n}",
    "backquotes": "erDiagram\nA {\n`double precision` `the name` PK\n}",
    "keys": "erDiagram\nA {\nint a PK\nint b pk, FK\nint c PK,FK,UK\n}",
    "comments on attributes": 'erDiagram\nA {\nint a PK "the key"\nint b "or\nnot"\n}',
    "words that begin like keywords": "erDiagram\nClassroom\nEnding\nTowns\nOnes\nStyle_1\nUser\nManyfold",
    "a word after a label": "erDiagram\nA ||--o{ B : has been",
}
REFUSED = {
    "nothing": "",
    "a diagram of another sort": "classDiagram\nA",
    "the header in other letters": "erdiagram\nA",
    "the header glued to a word": "erDiagrams\nA",
    "talk before": "Here it is:\nerDiagram\nA",
    "two headers": "erDiagram\nA\nerDiagram\nB",
    "front matter left open": "---\ntitle: A\nerDiagram\nA",
    "an empty comment": "erDiagram\n%%\nA",
    "a comment behind a statement": "erDiagram\nA ||--|| B : x %% why",
    "a brace on its own line": "erDiagram\nA\n{\nint id\n}",
    "a relation over two lines": "erDiagram\nA ||--o{\nB : x",
    "no label": "erDiagram\nA ||--o{ B",
    "a keyword as a label": "erDiagram\nA ||--o{ B : many",
    "a number as a label": "erDiagram\nA ||--o{ B : 2",
    "one end only": "erDiagram\nA --o{ B : x",
    "an arrow": "erDiagram\nA --> B : x",
    "an unknown symbol": "erDiagram\nA |x--o{ B : x",
    "a named end": "erDiagram\nc[C] ||--o{ B : x",
    "keywords as names": "erDiagram\nClass { int id }",
    "end outside a subgraph": "erDiagram\nend",
    "a subgraph left open": "erDiagram\nsubgraph s\nA",
    "to-do as a name": "erDiagram\nto-do",
    "a per cent sign in a quoted name": 'erDiagram\n"100%"',
    "a backslash in a quoted name": 'erDiagram\n"a\\b"',
    "an empty quoted name": 'erDiagram\n""',
    "a quote left open": 'erDiagram\nA ||--|| B : "x',
    "two words in brackets": "erDiagram\nc[A customer]",
    "a bracket left open": "erDiagram\nc[Customer",
    "a block left open": "erDiagram\nA {\nint id",
    "a block in a block": "erDiagram\nA {\nB {\nint id\n}\n}",
    "a block closed twice": "erDiagram\nA {\nint id\n}\n}",
    "a type without a name": "erDiagram\nA {\nint\n}",
    "a name before a number": "erDiagram\nA {\n1 id\n}",
    "keys without a comma": "erDiagram\nA {\nint id PK FK\n}",
    "a key as a name": "erDiagram\nA {\nint PK\n}",
    "a key that is none": "erDiagram\nA {\nint id PRIMARY\n}",
    "a comment before the keys": 'erDiagram\nA {\nint id "x" PK\n}',
    "a semicolon in a block": "erDiagram\nA {\nint id;\n}",
    "a lone tilde": "erDiagram\nA {\nlist~int id\n}",
    "a style without rules": "erDiagram\nstyle A",
    "a style with a function": "erDiagram\nstyle A fill:rgb(1,2,3)",
    "a style with a space at the end of all": "erDiagram\nstyle A fill:red ",
    "a title without text": "erDiagram\nA\naccTitle:",
    "a description left open": "erDiagram\naccDescr { a",
    "a class without members": "erDiagram\nclass A",
    "a fence": "```mermaid\nerDiagram\nA\n```",
}


def accepts(text: str) -> bool:
    try:
        parse(text)
    except ErSyntaxError:
        return False
    return True


def test_the_real_diagrams_are_the_82() -> None:
    assert [sum(parses for _, parses in REAL), len(REAL)] == [79, 82]


@pytest.mark.parametrize(("code", "parses"), REAL)
def test_a_real_diagram_is_judged_as_mermaid_judges_it(code: str, parses: bool) -> None:
    assert accepts(code) == parses


@pytest.mark.parametrize("feature", ACCEPTED)
def test_it_accepts(feature: str) -> None:
    parse(ACCEPTED[feature])


@pytest.mark.parametrize("fault", REFUSED)
def test_it_refuses(fault: str) -> None:
    assert not accepts(REFUSED[fault])


def test_a_diagram_is_read_as_written() -> None:
    diagram = parse(
        'erDiagram\nc[Customer] {\n int id PK, fk "x"\n}\nc ||--o{ "Line item" : "has many"\nc {\n string? n\n}\nB'
    )
    assert list(diagram.entities) == ["c", "B", "Line item"]
    customer = diagram.entities["c"]
    assert (customer.label, customer.has_block) == ("Customer", True)
    assert customer.attributes == (Attribute("int", "id", frozenset({"PK", "FK"})), Attribute("string", "n"))
    assert [diagram.entities[name].has_block for name in ("B", "Line item")] == [False, False]
    assert diagram.relations == (Relation("c", "Line item", "has many"),)


def test_ten_thousand_subgraphs_within_each_other_do_not_overflow() -> None:
    assert accepts("erDiagram\n" + "subgraph s\n" * 10_000 + "end\n" * 10_000)


def test_the_error_says_where_and_what_was_expected_without_the_text_itself() -> None:
    with pytest.raises(ErSyntaxError, match=r"^line 3 of the diagram, .*: expected the name of an entity$") as refused:
        parse("erDiagram\nA\nB ||--o{ secret-is-safe; : x".replace("secret", ":secret"))
    assert "secret" not in str(refused.value)
