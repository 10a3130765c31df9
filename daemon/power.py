"""What the gate of a task could see today: its prompts counted in the store, its spread from the last looks."""

from __future__ import annotations

from sqlalchemy import Connection

from daemon.config import TaskConfig
from daemon.evidence import count_entries
from learners.gate import Power, power_of
from learners.gate.power import LOOKS_READ
from storage import updates


def power_now(tx: Connection, task: TaskConfig) -> Power:
    """Counts different prompts and reads none, since every status asks for it; what has aged out since counts."""
    prompts = min(count_entries(tx, task), task.holdout.cap)
    return power_of(prompts, updates.last_looks(tx, task.name, LOOKS_READ), task.gate)
