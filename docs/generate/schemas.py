"""docs/schemas/: JSON Schemas of events, of all kinds and of each, and of the files between daemon and worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consumers.events import KINDS, json_schema
from docs.generate.markdown import as_json
from learners.job_schemas import job_schemas

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def pages() -> Mapping[str, str]:
    events = {f"event.{kind}.json": _of_kind(kind) for kind in KINDS}
    every = {"event.schema.json": json_schema(), **events, **job_schemas()}
    return {f"schemas/{name}": as_json(schema) for name, schema in every.items()}


def _of_kind(kind: str) -> dict[str, Any]:
    return {"$schema": DRAFT, **KINDS[kind].model_json_schema(), "title": f"adaptd event: {kind}"}
