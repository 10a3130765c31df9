from __future__ import annotations

import json
from pathlib import Path

import pytest

from examples.erd.score import POINTS, main, mean_score, score

PROMPT = "Draw an entity-relation diagram for these entities: Customer, OrderItem."
GOOD = """erDiagram
  Customer {
    int id PK
    string name
  }
  OrderItem {
    int id PK
    int quantity
  }
  Customer ||--o{ OrderItem : has"""


def _parts(answer: str, required_fields: tuple[str, ...] = ()) -> dict[str, float]:
    return score(PROMPT, answer, required_fields).parts


def _has_no_fault_but(answer: str, part: str) -> bool:
    return [name for name, value in _parts(answer).items() if value < 1] == [part]


def test_a_good_diagram_scores_1_and_the_points_add_up_to_100() -> None:
    assert score(PROMPT, GOOD).score == pytest.approx(1.0)
    assert sum(POINTS.values()) == pytest.approx(1.0)


def test_a_mermaid_fence_around_the_diagram_costs_nothing() -> None:
    assert score(PROMPT, f"```mermaid\n{GOOD}\n```").score == pytest.approx(1.0)


@pytest.mark.parametrize(
    "answer",
    [
        GOOD.replace("||--o{", "}|..||"),
        GOOD.replace("||--o{", "|o--|{"),
        GOOD.replace(": has", ': "has many of"'),
        GOOD.replace("int id PK", 'int id PK, FK "the key"'),
        GOOD.replace("string name", "varchar(20)[] name UK"),
        GOOD.replace("erDiagram", "%% a remark\nerDiagram\n\n"),
        GOOD.replace("Customer", '"Customer"'),
    ],
    ids=["dotted", "optional", "quoted label", "keys and comment", "array type", "comments", "quoted name"],
)
def test_what_mermaid_reads_scores_1(answer: str) -> None:
    assert score(PROMPT, answer).score == pytest.approx(1.0)


@pytest.mark.parametrize(
    "answer",
    [
        GOOD.replace("erDiagram\n", ""),
        GOOD.replace("erDiagram", "graph TD"),
        GOOD.replace("    int quantity\n  }", "    int quantity"),
        GOOD.replace("string name", "name"),
        GOOD.replace("string name", "string name PK FK"),
        GOOD.replace("string name", "string 2name"),
        GOOD + "\n  Customer ||--o{ OrderItem",
        GOOD + "\n  Customer --> OrderItem : has",
        GOOD + "\nHere is your diagram!",
        "Here is your diagram:\n" + GOOD,
    ],
)
def test_what_mermaid_refuses_loses_the_points_for_parsing_alone(answer: str) -> None:
    assert _has_no_fault_but(answer, "parses")
    assert score(PROMPT, answer).score == pytest.approx(0.8)


def test_a_missing_and_an_extra_entity_count_against_the_entities() -> None:
    extra = GOOD + "\n  Cart {\n    int id PK\n  }"
    assert _parts(extra)["entities"] == pytest.approx(2 / 3)
    assert _parts("erDiagram\n  Customer {\n    int id PK\n  }")["entities"] == pytest.approx(1 / 2)
    assert _parts(GOOD.replace("Customer", "customer"))["entities"] == pytest.approx(1 / 2)


def test_a_bare_name_is_no_block() -> None:
    assert _parts("erDiagram\n  Customer\n  OrderItem\n  Customer ||--o{ OrderItem : has")["entities"] == 0


def test_each_entity_needs_a_primary_key() -> None:
    assert _parts(GOOD.replace("int id PK\n    int", "int id FK\n    int"))["keys"] == pytest.approx(1 / 2)


def test_each_entity_needs_every_required_field_too() -> None:
    some = GOOD.replace("string name", "string tenant_id")
    assert _parts(some, ("tenant_id",))["keys"] == pytest.approx(1 / 2)
    assert _parts(some.replace("int quantity", "int tenant_id"), ("tenant_id",))["keys"] == 1
    assert score(PROMPT, GOOD, ("tenant_id",)).score == pytest.approx(0.8)


def test_a_relation_counts_only_between_asked_entities() -> None:
    outside = GOOD.replace("{ OrderItem : has", "{ Cart : has")
    assert _parts(outside)["relations"] == 0
    assert _parts(GOOD.rpartition("\n")[0])["relations"] == 0


def test_one_asked_entity_needs_no_relation_and_must_not_have_a_foreign_one() -> None:
    prompt = "Draw an entity-relation diagram for these entities: Customer."
    alone = "erDiagram\n  Customer {\n    int id PK\n  }"
    assert score(prompt, alone).score == pytest.approx(1.0)
    assert score(prompt, alone + "\n  Customer ||--o{ Cart : has").parts["relations"] == 0
    assert score(prompt, "erDiagram").parts["relations"] == 0


@pytest.mark.parametrize(
    "answer",
    [
        GOOD.replace("string name", "string foo"),
        GOOD.replace("string name", "string Field1"),
        GOOD.replace("string name", "string attr_12"),
        GOOD.replace(": has", ": todo"),
        GOOD + "\n  Entity1 ||--o{ Customer : has",
        GOOD + "\n%% TODO more",
        GOOD + "\n%% and so on ...",
    ],
)
def test_placeholders_lose_their_points(answer: str) -> None:
    assert _has_no_fault_but(answer, "placeholders")


def test_a_name_that_only_contains_a_placeholder_is_none() -> None:
    assert _parts(GOOD.replace("string name", "string barcode"))["placeholders"] == 1


@pytest.mark.parametrize("answer", ["", "erDiagram", "I cannot draw."])
def test_an_empty_diagram_has_no_points_for_being_free_of_placeholders(answer: str) -> None:
    assert _parts(answer)["placeholders"] == 0


def test_the_mean_of_no_answers_is_0() -> None:
    assert mean_score([]) == 0
    assert mean_score([(PROMPT, GOOD), (PROMPT, "")]) == pytest.approx(0.5)


def test_the_command_prints_points_of_100(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text(json.dumps({"prompt": PROMPT, "answer": GOOD}) + "\n", encoding="utf-8")
    assert main([str(file), "tenant_id"]) == 0
    assert "80.0 of 100, mean of 1 answers" in capsys.readouterr().out


def test_the_command_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage:" in capsys.readouterr().err


def test_statements_need_no_lines_of_their_own_as_in_mermaid() -> None:
    assert score(
        PROMPT, GOOD.replace("\n  OrderItem {\n    int id PK\n", " OrderItem { int id PK ")
    ).score == pytest.approx(1)
    assert not _parts(GOOD.replace("Customer {", "Customer\n{"))["parses"]


def test_what_can_be_read_of_a_broken_diagram_still_counts() -> None:
    unclosed = GOOD.replace("    string name\n  }", "    string name")
    assert _has_no_fault_but(unclosed, "parses")
    assert _has_no_fault_but("Sure! " + GOOD, "parses")
