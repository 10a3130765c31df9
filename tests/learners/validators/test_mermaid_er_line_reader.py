from __future__ import annotations

from learners.validators.mermaid_er import Attribute, Relation, parse, read_lines

from .samples import ER_DIAGRAM


def test_a_diagram_that_parses_reads_the_same_line_by_line() -> None:
    assert read_lines(ER_DIAGRAM) == parse(ER_DIAGRAM)


def test_a_line_that_cannot_be_read_costs_nothing_but_itself() -> None:
    broken = ER_DIAGRAM.replace("string name", "string name;").replace(
        "  Customer ||", "  Customer --> Invoice\n  Customer ||"
    )
    whole, read = parse(ER_DIAGRAM), read_lines(broken)
    assert read.relations == whole.relations
    assert read.entities["Customer"].attributes == (Attribute("int", "id", frozenset({"PK"})),)
    assert read.entities["Invoice"] == whole.entities["Invoice"]


def test_a_block_left_open_ends_where_another_begins() -> None:
    read = read_lines("erDiagram\nA {\n int id PK\nB {\n int id PK\nA ||--o{ B : has")
    assert [len(entity.attributes) for entity in read.entities.values()] == [1, 1]
    assert read.relations == (Relation("A", "B", "has"),)


def test_a_block_on_one_line_and_one_that_ends_on_an_attribute_are_read() -> None:
    read = read_lines("no diagram\nA { int id }\nB {\n int id\n int n }\nC { int id\n}")
    assert {name: len(entity.attributes) for name, entity in read.entities.items()} == {"A": 1, "B": 2, "C": 1}


def test_a_brace_with_something_behind_it_closes_nothing() -> None:
    read = read_lines("A {\n int id\n} int n\n int m\n}")
    assert [attribute.name for attribute in read.entities["A"].attributes] == ["id", "m"]


def test_prose_holds_no_entities() -> None:
    assert not read_lines("Sure, here is an example\nof what you asked for: a diagram").entities


def test_comments_are_not_read() -> None:
    assert not read_lines("nothing here\n%% A ||--o{ B : has").relations
