"""Votes: single judgements by the answer that they are about, whichever interaction it was given in.

An answer is a text to a prompt. Its key is kept on the example, because many interactions can hold the same one, and
hashing them all anew for each question would cost more than asking. Examples of a store from before there were keys
have none until they are joined anew; until then only their own interaction is the same answer.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, String, cast, exists, func, or_, select, true

from storage.asked import UNASKED
from storage.dialects.sqlite import text_in
from storage.records import Example, Vote
from storage.tables import event, example, retraction

_JUDGING = ("rating", "thumb", "validation")
_ABOUT_AN_ANSWER = (*_JUDGING, "correction")
_retracting = event.alias("retracting")
# As in the join: by the same user or a trusted app. Else whoever names an interaction would silence all on it.
_TAKEN_BACK = exists().where(
    retraction.c.task == event.c.task,
    or_(
        retraction.c.target_event_id == event.c.event_id,
        retraction.c.target_interaction_id == example.c.interaction_id,
    ),
    _retracting.c.id == retraction.c.event_row,
    or_(_retracting.c.user_id == event.c.user_id, text_in(_retracting.c.record, "trusted") == true()),
)


def answer_key(one: Example) -> str | None:
    """A hash of prompt and response without regard to case and space; None where one of them is missing."""
    if not one.messages or not one.response:
        return None
    said = [(message.role, message.content) for message in one.messages] + [("assistant", one.response)]
    plain = [f"{role}:{' '.join(text.casefold().split())}" for role, text in said]
    return hashlib.blake2b("\x00".join(plain).encode(), digest_size=16).hexdigest()


def recent_votes(tx: Connection, task: str, limit: int) -> list[Vote]:
    """Ratings, thumbs and validations received last, without those taken back and those asked for.

    What somebody was asked about was chosen for being doubtful: there honest people disagree more than elsewhere.
    Feedback on an interaction that quotes another text than its response is among them. What does not say whose it is,
    is of the interaction's user, as in the join.
    """
    answer = func.coalesce(example.c.answer_key, cast(example.c.id, String))
    whose = func.coalesce(event.c.user_id, text_in(example.c.record, "user_id"))
    query = select(answer, whose, event.c.kind, event.c.signal, text_in(event.c.record, "body", "criterion"))
    query = query.join(example, example.c.id == event.c.example_id)
    query = query.where(
        event.c.task == task, event.c.signal.is_not(None), event.c.kind.in_(_JUDGING), UNASKED, ~_TAKEN_BACK
    )
    rows = tx.execute(query.order_by(event.c.received_at.desc(), event.c.id.desc()).limit(limit))
    return [Vote(key, user, kind == "validation", signal, criterion) for key, user, kind, signal, criterion in rows]


def recent_judgements(tx: Connection, task: str, limit: int) -> list[float]:
    """The signals received last that are about an answer of the task, the newest first; those that were asked for and
    those taken back left out."""
    query = select(event.c.signal).join(example, example.c.id == event.c.example_id)
    query = query.where(
        event.c.task == task, event.c.signal.is_not(None), event.c.kind.in_(_ABOUT_AN_ANSWER), UNASKED, ~_TAKEN_BACK
    )
    return list(tx.execute(query.order_by(event.c.received_at.desc()).limit(limit)).scalars())
