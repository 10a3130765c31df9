"""Decisions: what the daemon or a person decided, and why. Only ever added to."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row, select

from storage.records import Decision, codec
from storage.tables import decision


def record(tx: Connection, made: Decision) -> int:
    """Keep a decision, in the same transaction as its effect; returns its number."""
    values = {each.name: getattr(made, each.name) for each in fields(made)}
    values["detail"] = codec.to_json(made.detail).decode()
    number: int = tx.execute(decision.insert().values(values).returning(decision.c.id)).scalar_one()
    return number


def list_decisions(
    tx: Connection,
    task: str | None = None,
    kind: str | None = None,
    after_id: int = 0,
    limit: int = 100,
    *,
    newest: bool = False,
) -> list[tuple[int, Decision]]:
    """Those after `after_id`, in order, to follow along; or, with `newest`, the last ones, newest first."""
    query = select(decision).where(decision.c.id > after_id).limit(limit)
    query = query.where(decision.c.task == task) if task is not None else query
    query = query.where(decision.c.kind == kind) if kind is not None else query
    rows = tx.execute(query.order_by(decision.c.id.desc() if newest else decision.c.id))
    return [_decision(row) for row in rows]


def _decision(row: Row[Any]) -> tuple[int, Decision]:
    values = dict(row._mapping)
    number = values.pop("id")
    return number, Decision(**(values | {"detail": codec.from_json(dict, values["detail"])}))
