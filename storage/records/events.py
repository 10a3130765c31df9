"""Events as they are kept: one message from outside, decoded, cleaned and given its signal.

Why apart from the wire: `consumers.events` describes what senders may write; this is the one canonical form behind it,
so that the join, the store and the learners never see two spellings. Plain frozen dataclasses, because intake makes
one per message. `pydantic.TypeAdapter` turns them into JSON and back (`storage.records.codec`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

Kind = Literal[
    "interaction", "rating", "thumb", "validation", "correction", "preference", "demonstration", "retraction"
]
KINDS: tuple[Kind, ...] = (
    "interaction",
    "rating",
    "thumb",
    "validation",
    "correction",
    "preference",
    "demonstration",
    "retraction",
)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat: who spoke and what was said. `name` and `tool_calls` are kept when a sender gives them."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    name: str | None = None
    tool_calls: tuple[dict[str, Any], ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Interaction:
    """A prompt and the response a model gave: no feedback, so no signal (unlabelled, never reward 0)."""

    kind: Literal["interaction"] = "interaction"


@dataclass(frozen=True, slots=True)
class Rating:
    """A number on the sender's own scale; `scale_min < scale_max`."""

    value: float
    scale_min: float
    scale_max: float
    criterion: str | None = None
    kind: Literal["rating"] = "rating"


@dataclass(frozen=True, slots=True)
class Thumb:
    """Up or down."""

    up: bool
    criterion: str | None = None
    kind: Literal["thumb"] = "thumb"


@dataclass(frozen=True, slots=True)
class Validation:
    """A machine's judgement: `score` in [0, 1] (already brought there from `scale` where the sender gave one)."""

    score: float
    passed: bool | None = None
    validator: str | None = None
    checks: dict[str, bool] = field(default_factory=dict)
    criterion: str | None = None
    kind: Literal["validation"] = "validation"


@dataclass(frozen=True, slots=True)
class Correction:
    """What a human made of the response."""

    corrected: str
    kind: Literal["correction"] = "correction"


@dataclass(frozen=True, slots=True)
class Preference:
    """Of two answers to one prompt, which a human preferred; with `tie` the order means nothing."""

    chosen: str
    rejected: str
    tie: bool = False
    chosen_interaction_id: str | None = None
    rejected_interaction_id: str | None = None
    criterion: str | None = None
    kind: Literal["preference"] = "preference"


@dataclass(frozen=True, slots=True)
class Demonstration:
    """An answer a human wrote from nothing."""

    demonstrated: str
    kind: Literal["demonstration"] = "demonstration"


@dataclass(frozen=True, slots=True)
class Retraction:
    """Takes back one event, or every feedback on one interaction; exactly one of the two is given."""

    event_id: str | None = None
    interaction_id: str | None = None
    kind: Literal["retraction"] = "retraction"


Body = Interaction | Rating | Thumb | Validation | Correction | Preference | Demonstration | Retraction


@dataclass(frozen=True, slots=True)
class Signal:
    """A feedback event as a number in [0, 1] about the text that was judged.

    `edit` and `bleu` are the similarity parts in [0, 1], where the signal is a similarity; `truncated` says that the
    texts were too long to compare whole. `scorer` names the version of the rules that made the number.
    """

    value: float
    scorer: str
    edit: float | None = None
    bleu: float | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One message, canonical. `effective_at = min(occurred_at, received_at)`, fixed once; all times are UTC.

    `interaction_id` is the sender's, or, where `self_contained`, the hash of what the event itself carries.
    `content_hash` covers everything but `occurred_at` and `schema`: same id and same hash is a duplicate,
    same id and another hash a conflict.
    """

    event_id: str
    task: str
    interaction_id: str
    occurred_at: datetime
    received_at: datetime
    effective_at: datetime
    content_hash: str
    body: Annotated[Body, Field(discriminator="kind")]  # read back a quarter faster than by trying each
    self_contained: bool = False
    app: str | None = None
    user_id: str | None = None
    messages: tuple[Message, ...] = ()
    response: str | None = None
    model: str | None = None
    adapter: str | None = None
    finish_reason: str | None = None
    sampling: dict[str, Any] = field(default_factory=dict)
    propensity: float | None = None
    context: dict[str, Any] = field(default_factory=dict)
    trusted: bool = False  # came from an app in the source's `trusted_apps`: may retract what others sent
    signal: Signal | None = None

    @property
    def kind(self) -> Kind:
        return self.body.kind
