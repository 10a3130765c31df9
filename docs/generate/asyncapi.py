"""docs/reference/asyncapi.json: the events as AsyncAPI 3.0.0, for tools that read it, from the models of the wire."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from consumers.events import KINDS
from docs.generate.event_examples import EXAMPLES
from docs.generate.event_words import meaning_of
from docs.generate.markdown import as_json

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
DESCRIPTION = """\
Feedback events as apps send them to adaptd: one JSON object a message, over HTTP or Kafka. Key Kafka records by \
interaction_id; nothing depends on it. Each may also come as a CloudEvent, structured or binary, with type \
dev.adaptd.<kind>. Host, port and topic are those of your adaptd.yaml."""


def pages() -> Mapping[str, str]:
    return {"reference/asyncapi.json": as_json(document())}


def document() -> dict[str, Any]:
    """The whole document. Messages are named by kind, their payloads are the JSON Schemas of the kinds."""
    schemas: dict[str, Any] = {}
    messages = {kind: _message(kind, schemas) for kind in KINDS}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "adaptd events",
            "version": tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["version"],
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {"host": "localhost:9092", "protocol": "kafka", "description": "`bootstrap_servers` of a source"},
            "http": {"host": "127.0.0.1:8712", "protocol": "http", "description": "`api.host` and `api.port`"},
        },
        "channels": {
            "topic": _channel("feedback", "kafka", "A topic that a `{type: kafka}` source reads."),
            "http": _channel("/v1/events", "http", "Answers after the commit; needs a `{type: http}` source."),
        },
        "operations": {
            "readTopic": _operation("topic", "adaptd reads each event from its topic.", {}),
            "takeRequest": _operation(
                "http",
                "adaptd takes one event, an array of them, or one a line.",
                {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
            ),
        },
        "components": {"messages": messages, "schemas": schemas},
    }


def _message(kind: str, schemas: dict[str, Any]) -> dict[str, Any]:
    model = KINDS[kind]
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
    meaning = meaning_of(kind)
    return {
        "name": kind,
        "title": kind,
        "summary": meaning.what,
        "description": f"Signal: {meaning.signal}\n\nTeaches: {meaning.teaches}",
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
        "examples": [{"name": kind, "payload": EXAMPLES[kind]}],
    }


def _channel(address: str, server: str, description: str) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "servers": [{"$ref": f"#/servers/{server}"}],
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in KINDS},
    }


def _operation(channel: str, summary: str, bindings: dict[str, Any]) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{kind}"} for kind in KINDS],
        **({"bindings": bindings} if bindings else {}),
    }
