"""What rows count by beside their own feedback, read from the store: trust in users, how far the task has come,
which answers fail a check, and which were cut off."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from consumers.endings import CUT_REASONS
from consumers.trust import EVERYONE, trust_of
from daemon.config import TaskConfig
from daemon.failures import failing_checks
from learners.floor import Floor, choose_floor
from learners.router import Standing, version_of
from storage import buffer, registry, votes
from storage.records import Example

MOST_VOTES = 2000  # judgements that trust is made of, newest first
RECENT_JUDGEMENTS = 200  # those that the floor is made of


def standing_of(tx: Connection, task: TaskConfig, examples: Iterable[Example]) -> Standing:
    """For the rows of those examples of a task, as it stands."""
    line = registry.line_of(tx, task.name)
    champion = version_of(line.champion, task.name) if line else None
    found = list(examples)
    chosen_in = {pair.chosen_in for example in found for pair in example.pairs if pair.chosen_in is not None}
    trust = trust_of(votes.recent_votes(tx, task.name, MOST_VOTES)) if task.rewards.trust else EVERYONE
    return Standing(
        trust,
        champion,
        registry.reigned_versions(tx, task.name),
        task.off_policy.superseded_after,
        failing_checks(tx, task, {example.interaction_id for example in found}),
        buffer.answers_that_ended(tx, task.name, chosen_in, CUT_REASONS),
    )


def floor_of(tx: Connection, task: TaskConfig) -> Floor:
    """From which signal SFT imitates an answer of the task, in words and as a number."""
    wanted = task.sft.min_signal
    signals = votes.recent_judgements(tx, task.name, RECENT_JUDGEMENTS) if wanted == "auto" else []
    return choose_floor(wanted, signals, task.rewards.midpoint)
