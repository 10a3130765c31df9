"""One working setting and one passing answer for each validator, for the tests that run over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.learners.validators.score_service import ScoreService


@dataclass(frozen=True)
class Sample:
    """What a contract test needs to know of a validator."""

    settings: Mapping[str, Any]
    prompt: str
    passing: str
    fragments: tuple[str, ...]  # pieces of its language, out of which odd answers are made


ER_DIAGRAM = """erDiagram
  Customer {
    int id PK
    string name
  }
  Invoice {
    int id PK
    date due_at
  }
  Customer ||--o{ Invoice : pays"""
ER_PROMPT = "Draw an entity-relation diagram for these entities: Customer, Invoice."
ER_FRAGMENTS = (
    *("erDiagram", "\n", " ", "{", "}", '"', "~", "`", ":", ":::", ",", "[", "]", "%%", "%%{", "}%%", "---", "#", ";"),
    *(
        "Customer",
        "Invoice",
        "int id PK",
        "||--o{",
        "}o..||",
        "one or more to 1",
        "1",
        "u",
        "style",
        "classDef",
        "class",
    ),
    *("direction TB", "accTitle:", "accDescr {", "subgraph", "end", "<b a=", ">", "TODO", "?", "\r", "\u2028", "\x00"),
)
ORDER_SCHEMA = {
    "type": "object",
    "required": ["id", "lines"],
    "properties": {
        "id": {"type": "integer", "multipleOf": 0.5},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}, "uniqueItems": True},
    },
    "$defs": {
        "line": {"type": "object", "properties": {"parts": {"type": "array", "items": {"$ref": "#/$defs/line"}}}}
    },
}
JSON_FRAGMENTS = (
    *("{", "}", "[", "]", '"id"', '"lines"', '"parts"', ":", ",", "1", "-0", "1e999", "9" * 400, "NaN", "null", "true"),
    *('"', "\\", "\\ud800", "```json\n", "\n```", " ", "\n", "\x00", "\ufeff"),
)
PYTHON = "import math\n\n\ndef area(radius: float) -> float:\n    return math.pi * radius**2"
PYTHON_FRAGMENTS = (
    *(
        "(",
        ")",
        "[",
        "{",
        "}",
        ":",
        "\n",
        "\n    ",
        "def f():",
        "lambda:",
        "not ",
        "-",
        "f'{",
        "'",
        '"""',
        "\\",
        "\\d",
        "#",
    ),
    *(
        "x = 1",
        "await ",
        "@",
        "x.y",
        "if x:",
        "else:",
        "match x:",
        "case ",
        "pass",
        "...",
        "# TODO",
        "\x00",
        "\ud800",
        "\t",
    ),
)
SQL_SCHEMA = {
    "dialect": "postgres",
    "tables": {"customers": ["id", "name"], "orders": ["id", "customer_id", "total"]},
}
SQL = "SELECT c.name, SUM(o.total) AS spent FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.name"
SQL_FRAGMENTS = (
    *(
        "SELECT",
        " ",
        "*",
        " FROM ",
        "customers",
        "orders o",
        "(",
        ")",
        ",",
        ";",
        "WITH a AS (",
        " UNION ",
        " JOIN ",
        " ON ",
    ),
    *(
        " WHERE ",
        "name",
        "o.total",
        "nope",
        "'",
        '"',
        "--",
        "/*",
        "::int",
        "CASE WHEN ",
        " NOT ",
        " GROUP BY ",
        "1",
        "=",
        "$$",
    ),
    *(
        "INSERT INTO customers ",
        "DELETE FROM orders",
        "CREATE TABLE x (a int)",
        "VACUUM",
        "\n",
        "\x00",
        "\ud800",
        "$1",
        " AS x",
    ),
)


class _OfTheService(Mapping[str, Any]):
    """Settings of `http`; its service starts when they are first read."""

    @cached_property
    def _settings(self) -> dict[str, Any]:
        return {"url": ScoreService().start().url, "attempts": 1}

    def __getitem__(self, key: str) -> Any:
        return self._settings[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)


SAMPLES = {
    "mermaid_erd": Sample({}, ER_PROMPT, ER_DIAGRAM, ER_FRAGMENTS),
    "json_schema": Sample({"schema": ORDER_SCHEMA}, "", '{"id": 1, "lines": [{"parts": []}]}', JSON_FRAGMENTS),
    "python_syntax": Sample({"defines": ["area"]}, "", PYTHON, PYTHON_FRAGMENTS),
    "sql": Sample(SQL_SCHEMA, "", SQL, SQL_FRAGMENTS),
    "regex": Sample(
        {"pattern": r"(\w+ ?)+:? \d+", "require": {"number": r"\d"}, "forbid": {"shouting": "[A-Z]{3}"}},
        "",
        "the answer is 42",
        ("a", "A", " ", "1", ":", "-", "\n", "\x00", "\ud800", "é", "```"),
    ),
    "length": Sample(
        {"min": 3, "max": 6}, "", "four words are enough", ("word", " ", "\n", "\x00", "\u2028", "```", "é")
    ),
    "exact": Sample(
        {"accept": ["Paris", "3.5 km"]}, "", "paris.", ("paris", "3.5", " ", "km", ".", '"', "\x00", "(", "İ")
    ),
    "http": Sample(_OfTheService(), "", "fine by me", ("fine", " ", "\n", '"', "\x00", "\ud800", "\\", "```")),
}
