from __future__ import annotations

from typing import Any

import pytest

from learners.validators import Validated, open_validator
from learners.validators.mermaid_erd import MAX_CHARS, POINTS, asked_entities

from .samples import ER_DIAGRAM, ER_PROMPT

THIRD_ENTITY = "\n  Item {\n    int id PK\n  }"


def judged(answer: str, prompt: str = ER_PROMPT, **settings: Any) -> Validated:
    return open_validator("mermaid_erd", settings).validate(prompt, answer)


def parts_below_one(said: Validated) -> dict[str, float]:
    return {name: part for name, part in said.parts.items() if part < 1}


def test_the_points_are_those_of_100() -> None:
    assert POINTS == {"parses": 20, "entities": 25, "keys": 20, "relations": 20, "placeholders": 15}


@pytest.mark.parametrize("part", POINTS)
def test_the_score_is_the_points_of_the_parts_that_hold(part: str) -> None:
    spoiled = {
        "parses": ER_DIAGRAM + "\n  }",
        "entities": ER_DIAGRAM + THIRD_ENTITY,
        "keys": ER_DIAGRAM.replace(" PK", ""),
        "relations": ER_DIAGRAM.replace("||--o{ Invoice", "||--o{ Customer"),
        "placeholders": ER_DIAGRAM.replace("pays", "todo"),
    }
    said = judged(spoiled[part])
    lost = parts_below_one(said)
    assert list(lost) == [part]
    assert said.score == pytest.approx(1 - POINTS[part] * (1 - lost[part]) / 100)
    assert not said.passed


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        (
            "Draw an entity-relation diagram for these entities: Customer, OrderItem, Invoice.",
            ("Customer", "OrderItem", "Invoice"),
        ),
        ("Entities: `A`, \"B\", and 'C D'", ("A", "B", "C D")),
        ("Not these entities: X. But these ENTITIES:\n A, B,, A. Every one has a tenant_id.", ("A", "B")),
        ("The entities: A, B\nUse Mermaid, please.", ("A", "B")),
        ("Use v1.5 of the entities: A.v2, B", ("A.v2", "B")),
        ("Draw a shop.", ()),
        ("entities:", ()),
    ],
)
def test_the_asked_entities_are_read_from_the_prompt(prompt: str, names: tuple[str, ...]) -> None:
    assert asked_entities(prompt) == names


def test_a_missing_and_an_extra_entity_each_cost_their_share() -> None:
    prompt = "For these entities: Customer, Invoice, Item."
    assert judged(ER_DIAGRAM, prompt).parts["entities"] == pytest.approx(2 / 3)
    assert judged(ER_DIAGRAM + THIRD_ENTITY).parts["entities"] == pytest.approx(2 / 3)
    assert judged(ER_DIAGRAM.replace("Invoice", "invoice")).parts["entities"] == pytest.approx(1 / 2)


def test_an_entity_without_a_block_is_not_drawn() -> None:
    assert judged("erDiagram\nCustomer\nCustomer ||--o{ Invoice : pays").parts["entities"] == 0.0


def test_every_asked_entity_needs_a_primary_key() -> None:
    assert judged(ER_DIAGRAM.replace("int id PK\n    date", "int id FK\n    date")).parts["keys"] == 0.5


def test_every_asked_entity_needs_the_required_fields() -> None:
    assert judged(ER_DIAGRAM, required_fields=["name"]).parts["keys"] == 0.5
    assert judged(ER_DIAGRAM, required_fields=["id"]).parts["keys"] == 1.0
    assert judged(ER_DIAGRAM, required_fields=["id", "tenant_id"]).parts["keys"] == 0.0


def test_a_required_field_has_a_name() -> None:
    with pytest.raises(ValueError, match="a required field needs a name"):
        open_validator("mermaid_erd", {"required_fields": ["tenant_id", " "]})


def test_a_relation_counts_for_the_asked_entities_at_both_its_ends() -> None:
    prompt = "For these entities: Customer, Invoice, Item."
    assert judged(ER_DIAGRAM + THIRD_ENTITY, prompt).parts["relations"] == pytest.approx(2 / 3)
    assert judged(ER_DIAGRAM.replace("o{ Invoice", "o{ Stranger")).parts["relations"] == 0.0


def test_a_single_asked_entity_needs_no_relation_but_none_to_a_stranger() -> None:
    alone, prompt = "erDiagram\nCustomer {\nint id PK\n}", "For these entities: Customer."
    assert judged(alone, prompt).passed
    assert judged(alone + "\nCustomer ||--o| Customer : refers", prompt).passed
    assert judged(alone + "\nCustomer ||--o| Stranger : knows", prompt).parts["relations"] == 0.0
    assert judged("erDiagram", prompt).parts["relations"] == 0.0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("string name", "string foo"),
        ("string name", "string Field_1"),
        ("string name", "string column2"),
        ("pays", "TBD"),
        ("pays", '"lorem"'),
        ("pays", '"and so on..."'),
        ("string name", 'string name "TODO say more"'),
        ("  Customer ||", "  %% TODO\n  Customer ||"),
        ("  Customer ||", "  Entity1\n  Customer ||"),
        ("  Customer ||", "  c[example]\n  Customer ||"),
    ],
)
def test_filler_is_found_wherever_it_stands(old: str, new: str) -> None:
    assert ER_DIAGRAM.count(old) >= 1
    assert list(parts_below_one(judged(ER_DIAGRAM.replace(old, new)))) == ["placeholders"]


@pytest.mark.parametrize("name", ["food", "fields", "name", "field_a", "example_id", "foobar", "rebar", "todos"])
def test_a_word_that_only_resembles_filler_is_none(name: str) -> None:
    assert judged(ER_DIAGRAM.replace("string name", f"string {name}")).passed


def test_an_empty_diagram_keeps_the_points_for_parsing_alone() -> None:
    assert judged("erDiagram").score == 0.2
    assert judged("").score == 0.0


def test_a_prompt_that_lists_nothing_leaves_the_answer_to_its_own_entities() -> None:
    assert judged(ER_DIAGRAM, "Draw a shop.").passed
    assert list(parts_below_one(judged(ER_DIAGRAM + THIRD_ENTITY, "Draw a shop."))) == ["relations"]


def test_text_around_the_diagram_does_not_parse_but_the_diagram_is_read() -> None:
    said = judged(f"Here it is:\n```mermaid\n{ER_DIAGRAM}\n```")
    assert list(parts_below_one(said)) == ["parses"]
    assert said.score == pytest.approx(0.8)


def test_a_text_longer_than_mermaid_draws_is_not_read() -> None:
    assert judged(ER_DIAGRAM + "\n" * 10 + "%% x" * MAX_CHARS).score == 0.0
