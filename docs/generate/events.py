"""docs/reference/events.md: what apps send, from the models of the wire, with an example of each kind."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from consumers.events import KINDS, WireEvent, WireMessage, WirePart, WireScale, WireTarget
from docs.generate.event_examples import EXAMPLES
from docs.generate.event_words import meaning_of
from docs.generate.markdown import code, page, sentence, table

INTRODUCTION = """
One JSON object a message: over HTTP (`POST /v1/events`: one object, an array, or one a line), in a Kafka topic, or in
a file, one a line. Bare, or as a CloudEvent, structured or binary: `id` is `event_id`, `time` is `occurred_at`,
`source` is `app`, and `type` is `dev.adaptd.<kind>`. The same for tools: [asyncapi.json](asyncapi.json) (AsyncAPI
3.0.0), and JSON Schemas of [every kind](../schemas/event.schema.json) and of each.

What becomes of an event is one of these. A bad event never stops a good one, and a dead letter keeps its reason.

| outcome | when |
| --- | --- |
| stored | it is new |
| duplicate | an event with its id and its content is stored already |
| dead letter | it cannot be read, is over a [limit](settings.md#limits), or has another event's id (`conflict`) |
| refused | an HTTP request that is turned away whole: 413 too large, 429 or 503 not now |

Feedback names its interaction by `interaction_id`, and may come before it, late, repeated and in any order. Feedback
without `interaction_id` must carry its own prompt and texts. A retraction takes back what its own user said; one from
an app in the source's `trusted_apps` takes back everybody's. Events of a task that is not in the configuration are
stored and not learned.

Fields that nobody knows go into `context`, and are counted. `null` is the same as leaving an optional field out. Types
are strict: `"85"` is no number.

## Sending

```
$ curl -s localhost:8712/v1/events -d '{"schema": 1, "event_id": "e1", "occurred_at": "2026-11-21T10:00:00Z",
    "kind": "thumb", "thumb": "up", "task": "erd", "user_id": "u1", "prompt": "...", "response": "..."}'
{"stored":1,"duplicates":0,"dead_letters":[]}
```

The answer comes after the commit. 422: not one event could be read, and `dead_letters` has the reasons. 429 or 503:
send the same again later, which is always safe. In Kafka nothing is answered; `adaptd status` counts.
"""
HEADER = ("field", "type", "needed", "what it says")
PARTS: tuple[type[BaseModel], ...] = (WireScale, WireTarget, WireMessage, WirePart)
_PLAIN = {bool: "true or false", int: "whole number", float: "number", str: "text"}


def pages() -> Mapping[str, str]:
    kinds = [
        (f"[`{kind}`](#{kind})", sentence(meaning.what), sentence(meaning.signal), sentence(meaning.teaches))
        for kind in KINDS
        for meaning in (meaning_of(kind),)
    ]
    overview = table(("kind", "what it is", "signal in [0, 1]", "what it teaches"), kinds)
    kind = ("`kind`", "text", "yes", "One of the kinds above.")
    common = f"## Fields of every kind\n\n{sentence(WireEvent.__doc__ or '')}\n\n{_table(WireEvent.model_fields, kind)}"
    parts = [f"### {_name(part)}\n\n{sentence(part.__doc__ or '')}\n\n{_table(part.model_fields)}" for part in PARTS]
    inside = ["## Objects inside", *parts]
    return {
        "reference/events.md": page(
            "Events", INTRODUCTION, f"## Kinds\n\n{overview}", common, *map(_kind, KINDS), *inside
        )
    }


def all_fields() -> Iterator[tuple[str, FieldInfo]]:
    """Every field that a sender may write, by where it stands."""
    for model in (*KINDS.values(), *PARTS):
        for name, field in model.model_fields.items():
            yield f"{model.__name__}.{field.alias or name}", field


def description_of(field: FieldInfo) -> str:
    """What a field says of itself, or its annotated type of it; empty where neither does."""
    inner = next((part.description for part in field.metadata if isinstance(part, FieldInfo)), None)
    return field.description or inner or ""


def _kind(kind: str) -> str:
    model = KINDS[kind]
    own = {name: field for name, field in model.model_fields.items() if name not in WireEvent.model_fields}
    del own["kind"]
    meaning = meaning_of(kind)
    example = json.dumps(EXAMPLES[kind], indent=2, ensure_ascii=False)
    return (
        f"## {kind}\n\n{sentence(meaning.what)} [JSON Schema](../schemas/event.{kind}.json)\n\n"
        f"{_table(own).strip() or 'It has no fields of its own.'}\n\n```json\n{example}\n```"
    )


def _table(fields: Mapping[str, FieldInfo], *more: tuple[str, ...]) -> str:
    rows = [
        (
            code(field.alias or name),
            _words(field.annotation),
            "yes" if field.is_required() else "",
            sentence(description_of(field)),
        )
        for name, field in fields.items()
    ]
    return table(HEADER, [*more, *rows])


def _name(model: type[BaseModel]) -> str:
    return model.__name__.removeprefix("Wire").lower()


def _words(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_words(part) for part in arguments if part is not type(None))
    if origin is typing.Annotated:
        return _words(arguments[0])
    if origin is typing.Literal:
        return " or ".join(code(str(each)) for each in arguments)
    if origin is list:
        return "list of objects" if typing.get_origin(arguments[0]) is dict else f"list of {_words(arguments[0])}"
    if origin is dict or annotation is dict:
        return "object"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{_name(annotation)}](#{_name(annotation)})"
    return _PLAIN[annotation]
