"""One event of each kind, as a sender would write it; a test holds that the real decoder takes each of them.

They tell one story: an app asked for a diagram, and what people made of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ASKED = {"prompt": "Draw an entity-relation diagram for these entities: Customer, Invoice."}
_ANSWERED = {"response": "erDiagram\n  Customer ||--o{ Invoice : gets"}
_ABOUT = {"interaction_id": "01936f6e-5a10-7c3e-9c51-3b7a1d2e4f60"}


def _event(number: int, kind: str, seconds: int, **carried: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "event_id": f"01936f6e-5a10-7c3e-9c51-3b7a1d2e5{number:03d}",
        "occurred_at": f"2026-11-21T10:00:{seconds:02d}Z",
        "kind": kind,
        "task": "erd",
        "app": "diagram-editor",
        "user_id": "u-17",
        **carried,
    }


EXAMPLES: Mapping[str, dict[str, Any]] = {
    "interaction": _event(
        1, "interaction", 0, **_ABOUT, **_ASKED, **_ANSWERED, model="base-small", adapter="erd@v3", finish_reason="stop"
    ),
    "rating": _event(2, "rating", 20, **_ABOUT, rating=4, scale={"min": 1, "max": 5}, criterion="layout"),
    "thumb": _event(3, "thumb", 21, **_ABOUT, thumb="down"),
    "validation": _event(
        4, "validation", 2, **_ABOUT, score=0.65, passed=False, validator="mermaid_erd", checks={"parses": True}
    ),
    "correction": _event(
        5,
        "correction",
        45,
        **_ABOUT,
        **_ANSWERED,
        corrected="erDiagram\n  Customer {\n    int id PK\n  }\n  Customer ||--o{ Invoice : gets",
    ),
    "preference": _event(
        6,
        "preference",
        50,
        messages=[{"role": "user", "content": _ASKED["prompt"]}],
        chosen="erDiagram\n  Customer ||--o{ Invoice : gets",
        rejected="Here is your diagram!",
    ),
    "demonstration": _event(
        7, "demonstration", 55, **_ASKED, demonstrated="erDiagram\n  Customer ||--o{ Invoice : receives"
    ),
    "retraction": _event(8, "retraction", 59, retracts={"event_id": "01936f6e-5a10-7c3e-9c51-3b7a1d2e5003"}),
}
