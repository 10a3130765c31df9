"""One working setting and one passing answer for each validator, for the tests that run over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
SAMPLES = {
    "mermaid_erd": Sample({}, ER_PROMPT, ER_DIAGRAM, ER_FRAGMENTS),
    "json_schema": Sample({"schema": ORDER_SCHEMA}, "", '{"id": 1, "lines": [{"parts": []}]}', JSON_FRAGMENTS),
}
