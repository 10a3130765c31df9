"""Writes the JSON Schema of events to docs/schemas/, from the code: `python -m bench.write_schemas`."""

from __future__ import annotations

import json
from pathlib import Path

from consumers.events import json_schema

TARGET = Path(__file__).resolve().parents[1] / "docs" / "schemas" / "event.schema.json"


def main() -> None:
    TARGET.write_text(json.dumps(json_schema(), indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
