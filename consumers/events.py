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

    max_bytes: SizeBytes = setting(2**20, doc="bytes of one message", ge=256)
    max_depth: int = setting(16, doc="levels of nested objects and lists in one message", unit="levels", ge=4, le=100)
    max_text_chars: int = setting(
        200_000, doc="characters of one text (prompt, response, correction...)", unit="characters", ge=1
    )
    max_messages: int = setting(256, doc="turns of one chat", unit="messages", ge=1)
    max_context_bytes: SizeBytes = setting(
        16 * 2**10, doc="bytes of `context` with the unknown fields in it, as JSON; `sampling` has as many of its own"
    )
    max_id_chars: int = setting(256, doc="characters of an id, name or criterion", unit="characters", ge=1)
    max_checks: int = setting(256, doc="named checks of one validation", unit="checks", ge=1)


class _Wire(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class WirePart(_Wire):
    """A part of a message's content; only text can be learned from."""

    type: Literal["text"] = Field(description="the kind of part")
    text: str = Field(description="its text")


class WireMessage(_Wire):
    """One turn as OpenAI-compatible APIs write it; `developer` is another word for `system`."""

    role: Literal["system", "developer", "user", "assistant", "tool"] = Field(description="who speaks")
    content: str | Annotated[list[WirePart], MaxLen(1000)] | None = Field(None, description="what was said")
    name: str | None = Field(None, description="name of the speaker, where there are several of one role")
    tool_calls: list[dict[str, Any]] | None = Field(None, fail_fast=True, description="the tools that this turn calls")
    tool_call_id: str | None = Field(None, description="the call that this turn answers")


class WireScale(_Wire):
    """The ends of the sender's own scale; `min` < `max`."""

    min: float = Field(description="the worst value there is")
    max: float = Field(description="the best value there is")


class WireTarget(_Wire):
    """What a retraction takes back: exactly one of the two."""

    event_id: str | None = Field(None, description="one event of the same task")
    interaction_id: str | None = Field(None, description="an interaction, with what was said about it")


Criterion = Annotated[
    str | None, Field(description="what was judged, such as tone or accuracy; `rewards.aggregate` works within one")
]


class WireEvent(_Wire):
    """The fields that every kind has. A `prompt` is one user message; give it or `messages`, not both."""

    schema_: int | None = Field(SCHEMA, alias="schema", ge=SCHEMA, le=SCHEMA, description="version of this format")
    event_id: str = Field(description="unique within its task; UUIDv7 advised")
    occurred_at: str = Field(description="RFC 3339, with a time zone", json_schema_extra={"format": "date-time"})
    task: str | None = Field(None, description="what is being learned; may be left out where the source has a default")
    app: str | None = Field(None, description="the app that sends; `trusted_apps` names apps by it")
    interaction_id: str | None = Field(None, description="left out: the event stands alone, with prompt and response")
    user_id: str | None = Field(None, description="a pseudonym")
    prompt: str | None = Field(None, description="what was asked, as one user message")
    messages: list[WireMessage] | None = Field(None, fail_fast=True, description="what was asked, as a chat")
    response: str | None = Field(None, description="what the model said")
    model: str | None = Field(None, description="the model that answered")
    adapter: str | None = Field(None, description="which version answered, such as erd@v3")
    finish_reason: str | None = Field(
        None, description="why the answer ended; one that was cut off (length) is never imitated"
    )
    sampling: dict[str, Any] | None = Field(None, description="how it was sampled, such as its temperature")
    propensity: float | None = Field(None, gt=0, le=1, description="how likely this answer was to be shown, in (0, 1]")
    context: dict[str, Any] | None = Field(None, description="anything else; fields that are not known land here too")


class WireInteraction(WireEvent):
    """A prompt and the response a model gave; no feedback.

    Signal: none; an answer without feedback is unlabelled, not bad.

    Teaches: nothing by itself; it is a prompt for the gate, and waits for feedback.
    """

    kind: Literal["interaction"] = Field(description="the kind of event")


class WireRating(WireEvent):
    """A number on the sender's own scale.

    Signal: where the number stands on its scale, linear.

    Teaches: how good the response was.
    """

    kind: Literal["rating"] = Field(description="the kind of event")
    rating: float = Field(description="the number, within its scale")
    scale: WireScale = Field(description="the ends of the scale")
    criterion: Criterion = None


class WireThumb(WireEvent):
    """Up or down.

    Signal: 1 for up, 0 for down.

    Teaches: how good the response was.
    """

    kind: Literal["thumb"] = Field(description="the kind of event")
    thumb: Literal["up", "down"] = Field(description="which way it points")
    criterion: Criterion = None


class WireValidation(WireEvent):
    """A machine's judgement: a score in [0, 1], or on the scale that is given with it.

    Signal: the score, as its place on the scale where there is one.

    Teaches: how good the response was.
    """

    kind: Literal["validation"] = Field(description="the kind of event")
    score: float = Field(description="how good the response was")
    scale: WireScale | None = Field(None, description="the ends of the scale, where they are not 0 and 1")
    passed: bool | None = Field(None, description="whether nothing was left to wish for")
    validator: str | None = Field(None, description="the program that judged")
    checks: dict[str, Any] | None = Field(
        None,
        description="named sub-checks and whether each passed",
        json_schema_extra={"additionalProperties": {"type": "boolean"}},
    )
    criterion: Criterion = None


class WireCorrection(WireEvent):
    """What a human made of the response.

    Signal: how like the response is to the correction, in [0, 1]; it is about the response.

    Teaches: the correction is a text to imitate, with reward 1; the response is what was rejected.
    """

    kind: Literal["correction"] = Field(description="the kind of event")
    corrected: str = Field(description="the whole text as it should have been")


class WirePreference(WireEvent):
    """Of two answers to one prompt, which a human preferred; with `tie` the order means nothing.

    Signal: 1 about the chosen text, 0 about the rejected one, 0.5 for a tie.

    Teaches: which of two is better; a tie teaches nothing.
    """

    kind: Literal["preference"] = Field(description="the kind of event")
    chosen: str = Field(description="the answer that was preferred")
    rejected: str = Field(description="the other answer")
    tie: bool | None = Field(None, description="true: neither was better")
    chosen_interaction_id: str | None = Field(None, description="the interaction in which `chosen` was given")
    rejected_interaction_id: str | None = Field(None, description="the interaction in which `rejected` was given")
    criterion: Criterion = None


class WireDemonstration(WireEvent):
    """An answer a human wrote from nothing.

    Signal: 1.

    Teaches: a text to imitate, with reward 1.
    """

    kind: Literal["demonstration"] = Field(description="the kind of event")
    demonstrated: str = Field(description="the answer")


class WireRetraction(WireEvent):
    """Takes back one event, or all that its user said about one interaction; from a trusted app, all that anyone said.

    Signal: none; it withdraws.

    Teaches: nothing; what it names leaves every future batch.
    """

    kind: Literal["retraction"] = Field(description="the kind of event")
    retracts: WireTarget = Field(description="what is taken back")


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


KINDS: dict[str, type[WireEvent]] = {
    "interaction": WireInteraction,
    "rating": WireRating,
    "thumb": WireThumb,
    "validation": WireValidation,
    "correction": WireCorrection,
    "preference": WirePreference,
    "demonstration": WireDemonstration,
    "retraction": WireRetraction,
}


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of one event as senders write it bare, made from these models."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "adaptd event", **wire().json_schema()}
