"""The join: all events of one interaction as one example. A pure function of the events; arrival leaves no trace.

Order is `(occurred_at, event_id)`. Slots: the scalar (ratings, thumbs and validations together), the latest correction,
the latest demonstration, every pair. Whose text and whose user are taken, what a retraction takes back, and when an
example counts as joined is said at the function that decides it. Folds, settling and reservation are not here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from statistics import fmean, pvariance
from typing import Any

from storage.records import (
    Correction,
    Demonstration,
    Event,
    Example,
    Interaction,
    Message,
    Pair,
    Preference,
    Rating,
    Retraction,
    Scalar,
    Signal,
    Target,
    Thumb,
    Validation,
)
from storage.records.settings import Settings, setting

from .rewards import Aggregate
from .signals import signal_of
from .similarity import SimilaritySettings

_LEARNABLE = (Correction, Demonstration, Preference)
_SCALARS = (Rating, Thumb, Validation)


class JoinSettings(Settings):
    """How several scalars on one answer become one."""

    aggregate: Aggregate = setting("last", doc="of one criterion's ratings, thumbs and validations, which counts")


@dataclass(frozen=True, slots=True)
class Joined:
    """The example, and the signals by event_id that could be computed only now, to be stored with their events."""

    example: Example
    signals: Mapping[str, Signal]


@dataclass(slots=True, eq=False)
class _Subject:
    """What the feedback is about: the prompt, the answer, and who gave and asked for it."""

    messages: tuple[Message, ...]
    response: str | None
    finish_reason: str | None
    model: str | None
    adapter: str | None
    user_id: str | None


def join(
    events: Sequence[Event],
    settings: JoinSettings,
    similarity: SimilaritySettings,
    interaction_id: str | None = None,
) -> Joined:
    """The example of one interaction, from all events of one (task, interaction_id), in any order.

    Retractions that name an event of this interaction may be among them, whatever interaction they carry themselves:
    where they may be all there is, say which interaction it is. `revision` is 1 + corrections + demonstrations +
    preferences, retracted ones too, so that it never falls. Raises ValueError for no events.
    """
    if not events:
        raise ValueError("join: no events; an example needs at least one")
    ordered = sorted(events, key=_IN_ORDER) if len(events) > 1 else events
    retractions = [event for event in ordered if isinstance(event.body, Retraction)]
    told = [event for event in ordered if not isinstance(event.body, Retraction)] if retractions else ordered
    live = _live(told, retractions) if retractions else told
    subject = _subject(live or told)
    signals = _late_signals(told, subject, similarity)
    if signals:
        live = [replace(each, signal=signals[each.event_id]) if each.event_id in signals else each for each in live]
    name = interaction_id or (told or ordered)[0].interaction_id
    return Joined(_example(name, ordered, told, live, subject, settings, similarity), signals)


_IN_ORDER = attrgetter("occurred_at", "event_id")


def _live(told: Sequence[Event], retractions: Sequence[Event]) -> list[Event]:
    """What nobody took back. An interaction that is taken back leaves nothing live: its prompt may not be used."""
    live = [event for event in told if not any(_takes_back(each, event) for each in retractions)]
    lost = any(_is_interaction(event) for event in told) and not any(_is_interaction(event) for event in live)
    return [] if lost else live


def _is_interaction(event: Event) -> bool:
    return isinstance(event.body, Interaction)


def _takes_back(retraction: Event, target: Event) -> bool:
    """A retraction counts from the user who said it (both known), or from a trusted app; whenever it came.

    It names one event, or the whole interaction: then it takes back all that its user said there, and nobody else's.
    Retractions are not taken back themselves.
    """
    body = retraction.body
    if not isinstance(body, Retraction):
        return False
    meant = target.event_id == body.event_id or target.interaction_id == body.interaction_id
    same_user = target.user_id is not None and target.user_id == retraction.user_id
    return meant and (retraction.trusted or same_user)


def _subject(events: Sequence[Event]) -> _Subject:
    """From the interaction where it has come, else from the first feedback that carries it.

    The user is the interaction's, else the first known one. Model, adapter and finish_reason belong to the response and
    come from the event that gave it; the first two from any other event where that one is silent.
    """
    first = sorted(events, key=lambda event: not _is_interaction(event)) if len(events) > 1 else events  # else by time
    messages: tuple[Message, ...] = ()
    answered = user_id = model = adapter = None
    for event in first:
        messages = messages or event.messages
        if answered is None and event.response is not None:
            answered = event
        if user_id is None:
            user_id = event.user_id
    for event in first if answered is None else (answered, *first):
        model = event.model if model is None else model
        adapter = event.adapter if adapter is None else adapter
    response, finish_reason = (answered.response, answered.finish_reason) if answered else (None, None)
    return _Subject(messages, response, finish_reason, model, adapter, user_id)


def _late_signals(told: Sequence[Event], subject: _Subject, similarity: SimilaritySettings) -> dict[str, Signal]:
    """Signals that were not known, or are others now: corrections whose response comes with another event."""
    found = {}
    for event in told:
        if _is_interaction(event):
            continue
        lent = isinstance(event.body, Correction) and event.response is None
        if lent or event.signal is None:
            signal = signal_of(event.body, subject.response if lent else event.response, similarity)
            if signal is not None and signal != event.signal:
                found[event.event_id] = signal
    return found


def _example(
    interaction_id: str,
    ordered: Sequence[Event],
    told: Sequence[Event],
    live: Sequence[Event],
    subject: _Subject,
    settings: JoinSettings,
    similarity: SimilaritySettings,
) -> Example:
    feedback = [event for event in live if not _is_interaction(event)]
    counted = feedback or live or told or ordered
    return Example(
        task=ordered[0].task,
        interaction_id=interaction_id,
        revision=1 + len([event for event in told if isinstance(event.body, _LEARNABLE)]),
        joined=any(map(_carries_all, live or told)),
        withdrawn=bool(told) and not live,
        messages=subject.messages,
        response=subject.response,
        finish_reason=subject.finish_reason,
        model=subject.model,
        adapter=subject.adapter,
        user_id=subject.user_id,
        users=_users(feedback, subject),
        first_seen_at=min([event.received_at for event in ordered]),
        last_signal_at=max([event.received_at for event in feedback], default=None),
        effective_at=max([event.effective_at for event in counted]),
        **(_said(feedback, subject, settings, similarity) if feedback else {}),
    )


def _said(
    feedback: Sequence[Event], subject: _Subject, settings: JoinSettings, similarity: SimilaritySettings
) -> dict[str, Any]:
    """The slots that feedback fills."""
    return {
        "scalar": _scalar(feedback, subject, settings),
        "correction": _correction(feedback, subject, similarity),
        "demonstration": _demonstration(feedback, subject),
        "pairs": tuple([_pair(each, each.body, subject) for each in feedback if isinstance(each.body, Preference)]),
    }


def _carries_all(event: Event) -> bool:
    """Whether this event alone makes an example of it: prompt, and the text that was judged where there is one."""
    if event.self_contained or _is_interaction(event):
        return True
    judged_here = event.response is not None or isinstance(event.body, Preference | Demonstration)
    return bool(event.messages) and judged_here


def _user_of(event: Event, subject: _Subject) -> str | None:
    """Who gave the feedback; where it does not say, whose interaction it is, so that nobody slips through the caps."""
    return event.user_id if event.user_id is not None else subject.user_id


def _users(feedback: Sequence[Event], subject: _Subject) -> tuple[str, ...]:
    users = dict.fromkeys([_user_of(event, subject) for event in feedback])
    return tuple([user for user in users if user is not None])


def _judges_subject(event: Event, subject: _Subject) -> bool:
    """A reward belongs to the text that was judged: feedback that quotes another answer says nothing about this one."""
    return event.response is None or subject.response is None or event.response.strip() == subject.response.strip()


def _scalar(feedback: Sequence[Event], subject: _Subject, settings: JoinSettings) -> Scalar | None:
    """Per criterion (of ratings, thumbs and validations alike) one signal by `aggregate`, then the mean of those."""
    scalars = [event for event in feedback if isinstance(event.body, _SCALARS) and _judges_subject(event, subject)]
    by_criterion: dict[str | None, list[float]] = {}
    for event in scalars:
        if event.signal is not None and isinstance(event.body, _SCALARS):
            by_criterion.setdefault(event.body.criterion, []).append(event.signal.value)
    if not by_criterion:
        return None
    signal = _mean([_aggregate(values, settings.aggregate) for values in by_criterion.values()])
    variance = _variance(scalars, subject) if len(scalars) > 1 else 0.0
    return Scalar(signal, len(scalars), max(event.effective_at for event in scalars), variance)


def _variance(scalars: Sequence[Event], subject: _Subject) -> float:
    """How far those disagree who judged by the same criterion, the mean over criteria.

    Each has one voice, the last: a change of mind contradicts nobody. All validators are one; feedback of which nobody
    knows whose it is has a voice each time.
    """
    voices: dict[str | None, dict[tuple[bool, str], float]] = {}
    for event in scalars:
        if event.signal is not None and isinstance(event.body, _SCALARS):
            machine = isinstance(event.body, Validation)
            who = (machine, "" if machine else _user_of(event, subject) or event.event_id)
            voices.setdefault(event.body.criterion, {})[who] = event.signal.value
    return _mean([pvariance(said.values()) for said in voices.values()])


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if len(values) > 1 else values[0]


def _aggregate(values: Sequence[float], how: Aggregate) -> float:
    if how == "mean":
        return _mean(values)
    if how in ("min", "max"):
        return min(values) if how == "min" else max(values)
    return values[0 if how == "first" else -1]


def _correction(feedback: Sequence[Event], subject: _Subject, similarity: SimilaritySettings) -> Target | None:
    """The latest. Its signal is about the example's response; 0 while that has not come, when nothing is made of it."""
    for event in reversed(feedback):
        if isinstance(event.body, Correction):
            signal = event.signal
            if subject.response is None or event.response not in (None, subject.response):
                signal = signal_of(event.body, subject.response, similarity)
            value = signal.value if signal else 0.0
            return Target(event.body.corrected, value, event.effective_at, _user_of(event, subject))
    return None


def _demonstration(feedback: Sequence[Event], subject: _Subject) -> Target | None:
    for event in reversed(feedback):
        if isinstance(event.body, Demonstration):
            return Target(event.body.demonstrated, 1.0, event.effective_at, _user_of(event, subject))
    return None


def _pair(event: Event, body: Preference, subject: _Subject) -> Pair:
    user, given_in = _user_of(event, subject), body.chosen_interaction_id
    return Pair(body.chosen, body.rejected, body.tie, event.effective_at, user, given_in)
