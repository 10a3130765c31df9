import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from consumers.events import json_schema
from storage.records import KINDS
from tests.consumers.wires import fields, reason

VALIDATOR = Draft202012Validator(json_schema())


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())
    assert set(json_schema()["discriminator"]["mapping"]) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_fits_the_schema(kind: str) -> None:
    VALIDATOR.validate(fields(kind))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("thumb", {"thumb": True}),
        ("thumb", {"schema": 2}),
        ("thumb", {"event_id": ...}),
        ("rating", {"scale": ...}),
        ("rating", {"rating": "4"}),
        ("validation", {"checks": {"a": 1}}),
        ("thumb", {"propensity": 2}),
        ("retraction", {"retracts": "e0"}),
    ],
)
def test_what_does_not_fit_the_schema_is_refused(kind: str, changes: dict[str, Any]) -> None:
    message = fields(kind, **changes)
    assert not VALIDATOR.is_valid(message)
    assert reason(json.dumps(message).encode())
