"""`adaptd failures`, `GET /v1/failures`: what a task's answers fail in, and the newest examples of one kind.

What users wrote is shown only where it is asked for, shortened, and is written to no log.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import Connection

from consumers.cleaning import last_asked
from daemon.actions.context import Context
from daemon.actions.status import FailureStatus, failures_now
from daemon.config import TaskConfig
from daemon.errors import Denied, NotFound, UsageError
from daemon.failures import LEARNER
from learners.failures import PROMPTS, in_words
from storage import failures, registry
from storage.records import Example

LONGEST = 120  # characters of a text that is shown


class KindView(FailureStatus):
    """A kind of failure in words. `share` in [0, 1] of the champion's `judged` answers fail in it; null where none was
    judged. Ages are in seconds: `age_s` since it was first seen, `last_seen_age_s` since it was last seen."""

    words: str
    judged: int
    share: float | None
    last_seen_age_s: float


class ExampleView(BaseModel):
    """An example that fails. `adapter` is null where who sent it did not say; texts are null unless asked for."""

    interaction_id: str
    effective_at: datetime
    age_s: float
    adapter: str | None
    prompt: str | None = None
    answer: str | None = None


class Failures(BaseModel):
    """`on`: whether `hard_negatives` is, without which nothing new is examined. `examples` are null without a kind;
    with one, `searched` is how many of the newest were looked through for them."""

    task: str
    on: bool
    champion: str | None
    kinds: list[KindView]
    examples: list[ExampleView] | None = None
    searched: int | None = None


def list_failures(
    context: Context, task: str, kind: str | None = None, limit: int = 10, *, texts: bool = False
) -> Failures:
    """Every kind, those that need looking at first; or one, with its newest examples.

    Raises NotFound for a task that is not learned and for a kind that is not there, UsageError for texts of no kind,
    Denied where the learner is off and never found anything.
    """
    config = context.config().task(task)
    if config is None:
        raise NotFound(f"no task {task} is learned here; `adaptd tasks` shows those that are")
    if texts and kind is None:
        raise UsageError("texts are shown with a kind alone: name one of the kinds that are listed without texts")
    return context.store.read(lambda tx: _read(context, tx, config, kind, limit, texts=texts))


def _read(context: Context, tx: Connection, task: TaskConfig, kind: str | None, limit: int, *, texts: bool) -> Failures:
    line = registry.line_of(tx, task.name)
    found = Failures(
        task=task.name,
        on=task.learners.on(LEARNER),
        champion=line.champion if line else None,
        kinds=_kinds(context, tx, task.name, line.champion if line else None),
    )
    _check(found, kind)
    if kind is None:
        return found
    now, failing = context.clock(), failures.newest_failing(tx, task.name, kind, limit)
    return found.model_copy(
        update={
            "kinds": [one for one in found.kinds if one.kind == kind],
            "examples": [_example(one, now, texts=texts) for one in failing],
            "searched": failures.SEARCHED,
        }
    )


def _kinds(context: Context, tx: Connection, task: str, champion: str | None) -> list[KindView]:
    known, now = failures_now(context, tx, task), context.clock()
    names = [one.kind for one in known]
    clusters = sum(name.startswith(PROMPTS) for name in names)
    tallies = failures.tallies_of(tx, task, champion, names) if champion else {}
    views = []
    for one in known:
        tally = tallies.get(one.kind)
        views.append(
            KindView(
                **one.model_dump(),
                words=in_words(one.kind, clusters),
                judged=tally.judged if tally else 0,
                share=tally.failed / tally.judged if tally and tally.judged else None,
                last_seen_age_s=_age_s(one.last_seen_at, now),
            )
        )
    return views


def _check(found: Failures, kind: str | None) -> None:
    if not found.on and not found.kinds:
        raise Denied(
            f"{LEARNER} is off for task {found.task}, so nothing is examined; switch it on with "
            f"`adaptd learners enable {LEARNER} --task {found.task}`"
        )
    names = [one.kind for one in found.kinds]
    if kind is not None and kind not in names:
        known = f"there are {', '.join(names)}" if names else "nothing was found to fail yet"
        raise NotFound(f"task {found.task} has no kind of failure {kind}; {known}")


def _example(example: Example, now: datetime, *, texts: bool) -> ExampleView:
    return ExampleView(
        interaction_id=example.interaction_id,
        effective_at=example.effective_at,
        age_s=_age_s(example.effective_at, now),
        adapter=example.adapter,
        prompt=_in_a_line(last_asked(example.messages)) if texts else None,
        answer=_in_a_line(example.response or "") if texts else None,
    )


def _in_a_line(text: str) -> str:
    """Without what a terminal would obey, and no longer than `LONGEST`."""
    shown = "".join(character if character.isprintable() else " " for character in text[: 10 * LONGEST])
    line = " ".join(shown.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _age_s(at: datetime, now: datetime) -> float:
    return max(0.0, (now - at).total_seconds())
