"""The wire: what senders may write, one pydantic model for each of the eight kinds, told apart by `kind`.

Why apart from `storage.records.events`: here is what is accepted (a `prompt` or `messages`, a score on any scale,
fields nobody knows), there the one canonical form that is kept. These models check shape and type alone; what needs
settings or two fields at once (limits, ids, scales, times) is `consumers.cleaning` and `consumers.decode`.

Types are strict: `true` is no number, `"85"` is no score, NaN and infinities are none either. Where a JSON object says
a key twice, the last one counts, as in most JSON readers. `null` is the same as leaving an optional field out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal

from annotated_types import MaxLen
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from storage.records.settings import Settings, SizeBytes, setting

SCHEMA = 1


class LimitSettings(Settings):
    """How big one message may be. What is over a limit is a dead letter, from every source."""

    max_bytes: SizeBytes = setting(2**20, doc="bytes of one message")
    max_depth: int = setting(16, doc="levels of nested objects and lists in one message", ge=4, le=100)
    max_text_chars: int = setting(200_000, doc="characters of one text (prompt, response, correction...)", ge=1)
    max_messages: int = setting(256, doc="turns of one chat", ge=1)
    max_context_bytes: SizeBytes = setting(
        16 * 2**10, doc="bytes of `context` with the unknown fields in it, as JSON; `sampling` has as many of its own"
    )
    max_id_chars: int = setting(256, doc="characters of an id, name or criterion", ge=1)
    max_checks: int = setting(256, doc="named checks of one validation", ge=1)


class _Wire(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class WirePart(_Wire):
    """A part of a message's content; only text can be learned from."""

    type: Literal["text"]
    text: str


class WireMessage(_Wire):
    """One turn as OpenAI-compatible APIs write it; `developer` is another word for `system`."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | Annotated[list[WirePart], MaxLen(1000)] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = Field(None, fail_fast=True)
    tool_call_id: str | None = None


class WireScale(_Wire):
    """The ends of the sender's own scale; `min` < `max`."""

    min: float
    max: float


class WireTarget(_Wire):
    """What a retraction takes back: exactly one of the two."""

    event_id: str | None = None
    interaction_id: str | None = None


class WireEvent(_Wire):
    """The fields that every kind has. A `prompt` is one user message; give it or `messages`, not both."""

    schema_: int | None = Field(SCHEMA, alias="schema", ge=SCHEMA, le=SCHEMA)
    event_id: str = Field(description="unique within its task; UUIDv7 advised")
    occurred_at: str = Field(description="RFC 3339, with a time zone", json_schema_extra={"format": "date-time"})
    task: str | None = Field(None, description="what is being learned; may be left out where the source has a default")
    app: str | None = None
    interaction_id: str | None = Field(None, description="left out: the event stands alone, with prompt and response")
    user_id: str | None = Field(None, description="a pseudonym")
    prompt: str | None = None
    messages: list[WireMessage] | None = Field(None, fail_fast=True)
    response: str | None = None
    model: str | None = None
    adapter: str | None = Field(None, description="which version answered, such as erd@v3")
    finish_reason: str | None = None
    sampling: dict[str, Any] | None = None
    propensity: float | None = Field(None, gt=0, le=1, description="how likely this answer was to be shown, in (0, 1]")
    context: dict[str, Any] | None = Field(None, description="anything else; fields that are not known land here too")


class WireInteraction(WireEvent):
    """A prompt and the response a model gave; no feedback."""

    kind: Literal["interaction"]


class WireRating(WireEvent):
    """A number on the sender's own scale."""

    kind: Literal["rating"]
    rating: float
    scale: WireScale
    criterion: str | None = None


class WireThumb(WireEvent):
    """Up or down."""

    kind: Literal["thumb"]
    thumb: Literal["up", "down"]
    criterion: str | None = None


class WireValidation(WireEvent):
    """A machine's judgement: a score in [0, 1], or on the scale that is given with it."""

    kind: Literal["validation"]
    score: float
    scale: WireScale | None = None
    passed: bool | None = None
    validator: str | None = None
    checks: dict[str, Any] | None = Field(
        None,
        description="named sub-checks and whether each passed",
        json_schema_extra={"additionalProperties": {"type": "boolean"}},
    )
    criterion: str | None = None


class WireCorrection(WireEvent):
    """What a human made of the response."""

    kind: Literal["correction"]
    corrected: str


class WirePreference(WireEvent):
    """Of two answers to one prompt, which a human preferred; with `tie` the order means nothing."""

    kind: Literal["preference"]
    chosen: str
    rejected: str
    tie: bool | None = None
    chosen_interaction_id: str | None = None
    rejected_interaction_id: str | None = None
    criterion: str | None = None


class WireDemonstration(WireEvent):
    """An answer a human wrote from nothing."""

    kind: Literal["demonstration"]
    demonstrated: str


class WireRetraction(WireEvent):
    """Takes back one event, or every feedback on one interaction."""

    kind: Literal["retraction"]
    retracts: WireTarget


AnyWire = (
    WireInteraction
    | WireRating
    | WireThumb
    | WireValidation
    | WireCorrection
    | WirePreference
    | WireDemonstration
    | WireRetraction
)


@lru_cache(maxsize=1)
def wire() -> TypeAdapter[AnyWire]:
    """The checker of all kinds, built on first use."""
    return TypeAdapter(Annotated[AnyWire, Field(discriminator="kind")])


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of one event as senders write it bare, made from these models."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "adaptd event", **wire().json_schema()}
