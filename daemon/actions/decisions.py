"""`GET /v1/decisions`: what the daemon decided, in order, with its reasons."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from daemon.actions.context import Context
from storage import decisions


class DecisionView(BaseModel):
    id: int
    at: datetime
    kind: str
    task: str | None
    subject: str | None
    actor: str
    reason: str
    detail: dict[str, Any]


def list_decisions(context: Context, after: int, task: str | None, limit: int) -> list[DecisionView]:
    """Those with a number above `after`, oldest first."""
    found = context.store.read(lambda tx: decisions.list_decisions(tx, task=task, after_id=after, limit=limit))
    return [
        DecisionView(
            id=number,
            at=decision.at,
            kind=decision.kind,
            task=decision.task,
            subject=decision.subject,
            actor=decision.actor,
            reason=decision.reason,
            detail=decision.detail,
        )
        for number, decision in found
    ]
