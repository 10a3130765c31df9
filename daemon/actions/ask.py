"""`adaptd ask`, `GET /v1/ask`: the unlabelled answers whose judgement would teach most, shown to people who will judge.

This and `daemon.actions.failures` alone show what users wrote; it is written to no log. Who is asked about is marked in
the store (`storage.asked`): what people say of these answers is learned like all feedback, and counted apart where
means are drawn, since they were chosen for being hard. Asking changes nothing else. Questions come from the train fold
alone: the gate's answers are not looked at.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection

from daemon.actions.context import Context
from daemon.config import TaskConfig, ValidatorChoice
from daemon.errors import NotFound
from learners.asking import Asked, asked_text, choose_questions
from learners.folds import draw, fold_key
from learners.validators import ValidatorUnavailable, asks_a_service, open_validator
from storage import asked, buffer, decisions, folds
from storage.records import Decision, Example, Fold

MOST_QUESTIONS = 100
CANDIDATES = 1000  # the newest unlabelled answers that are compared
JUDGED = 1000  # the newest judged ones that they are compared with
VALIDATED = 300  # answers that a validator may look at, within VALIDATING_S seconds: it may be slow
VALIDATING_S = 3.0
AGAIN_AFTER = timedelta(hours=24)


class QuestionView(BaseModel):
    interaction_id: str
    prompt: str
    messages: list[dict[str, Any]]
    response: str
    adapter: str | None
    answered_at: datetime
    score: float
    reason: str


class Questions(BaseModel):
    """`candidates` are the unlabelled answers that were compared; `reason` says what was left out, and why."""

    task: str
    candidates: int
    reason: str
    questions: list[QuestionView]


def ask_people(context: Context, task: str, count: int) -> Questions:
    """Choose, mark and show. Raises NotFound where the task is not learned."""
    config = context.config().task(task)
    if config is None:
        raise NotFound(f"no task {task} is learned here; `adaptd tasks` shows those that are")
    now = context.clock()
    candidates, judged = context.store.read(lambda tx: _gather(tx, config, now))
    found = choose_questions(
        candidates,
        judged,
        count,
        max_share_per_user=config.batching.max_share_per_user,
        scores=validator_scores(config, candidates),
    )
    reason = _in_words(found, len(candidates))
    if found.questions:
        context.store.write(lambda tx: _mark(tx, config, found, reason, now))
    return Questions(task=task, candidates=len(candidates), reason=reason, questions=_views(found))


def _gather(tx: Connection, task: TaskConfig, now: datetime) -> tuple[list[Example], list[Example]]:
    waiting = asked.unlabelled_examples(tx, task.name, asked_before=now - AGAIN_AFTER, limit=CANDIDATES)
    answered = [example for example in waiting if example.response and example.messages]
    drawn = _drawn(tx, task, answered)
    train = [example for example in answered if drawn.get(_key(task, example)) == "train"]
    return train, buffer.labelled_examples(tx, task.name, JUDGED)


def _drawn(tx: Connection, task: TaskConfig, examples: Sequence[Example]) -> dict[str, Fold]:
    """Fold by key, of keys that were drawn before and of those that would be drawn now, with their first feedback: what
    would fall to the gate is not asked about, so that asking puts nothing into it and takes nothing out.

    Each as if it came first: the gate only fills up, so none that is train now would be drawn into it a moment later.
    """
    keys = {key for example in examples if (key := _key(task, example))}
    known, entries = folds.folds_of(tx, task.name, keys), folds.fold_counts(tx, task.name).gate
    secret = folds.fold_secret(tx)
    return {key: known.get(key) or draw(secret, task.name, key, entries, task.holdout) for key in sorted(keys)}


def _key(task: TaskConfig, example: Example) -> str:
    return fold_key(example.messages, example.user_id, task.holdout.split) or ""


def validator_scores(
    config: TaskConfig, candidates: Sequence[Example], limit_s: float = VALIDATING_S
) -> list[float | None]:
    """What the task's validator says of the answers; None from where its time is over or its service is away.

    A service is not waited for longer either. One that hangs leaves a thread behind until its own time-out.
    """
    if config.validator is None:
        return [None] * len(candidates)
    scores: list[float | None] = []
    asking = (config.validator, candidates[:VALIDATED], time.monotonic() + limit_s, scores)
    if asks_a_service(config.validator.name):
        thread = threading.Thread(target=_validate, args=asking, name="asking a validator", daemon=True)
        thread.start()
        thread.join(min(limit_s, threading.TIMEOUT_MAX))
    else:
        _validate(*asking)
    found = scores[:]
    return found + [None] * (len(candidates) - len(found))


def _validate(choice: ValidatorChoice, examples: Sequence[Example], until_s: float, scores: list[float | None]) -> None:
    with suppress(ValidatorUnavailable):  # people can be asked without it
        validator = open_validator(choice.name, choice.settings)
        for example in examples:
            if time.monotonic() > until_s:
                return
            scores.append(validator.validate(asked_text(example), example.response or "").score)


def _mark(tx: Connection, task: TaskConfig, found: Asked, reason: str, now: datetime) -> None:
    """Their folds are kept from here on."""
    examples = [question.example for question in found.questions]
    drawn = {(task.name, key): fold for key, fold in _drawn(tx, task, examples).items()}
    folds.save_folds(tx, drawn, now)
    asked.mark_asked(tx, task.name, [example.interaction_id for example in examples], now)
    decisions.record(tx, Decision(now, "ask", reason, task.name, actor="somebody", detail={"asked": len(examples)}))


def _in_words(found: Asked, candidates: int) -> str:
    if not candidates:
        return (
            "nothing to ask about: every answer of the train fold has feedback, or was asked about in the last 24 hours"
        )
    words = f"{len(found.questions)} of {candidates} answers without feedback"
    if found.same_prompt:
        words += f"; {found.same_prompt} have a prompt that is among them already"
    if found.over_share:
        words += f"; {found.over_share} passed over, since their users have their share of the questions"
    return words


def _views(found: Asked) -> list[QuestionView]:
    return [
        QuestionView(
            interaction_id=question.example.interaction_id,
            prompt=asked_text(question.example),
            messages=[{"role": message.role, "content": message.content} for message in question.example.messages],
            response=question.example.response or "",
            adapter=question.example.adapter,
            answered_at=question.example.effective_at,
            score=question.score,
            reason=question.reason,
        )
        for question in found.questions
    ]
