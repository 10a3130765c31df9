"""Cells of asking: nobody has said anything of the base's answers, and people are asked about so many of them.

`ask` lets the product choose which, as `adaptd ask` does: among all that are unlabelled, the newest of them scored by
the task's validator. `ask-random` draws them by lot. What people then say of an answer is the same whoever chose it,
and all of it is trained on, without caps on users: what is compared is the labels.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from bench.learning.settings import Setting
from bench.learning.users import Told
from daemon.actions.ask import validator_scores
from daemon.config import TaskConfig
from learners.asking import choose_questions
from storage.records import Example


def ask_about(told: Sequence[Told], setting: Setting, task: TaskConfig, count: int, seed: int) -> list[Told]:
    """Those of `told` (oldest first) that people were asked about, oldest first."""
    names = _by_lot(told, count, seed) if setting.asks == "lot" else _chosen(told, task, count)
    return [each for each in told if each.example.interaction_id in names]


def _by_lot(told: Sequence[Told], count: int, seed: int) -> set[str]:
    """With more labels, the same and more."""
    names = [each.example.interaction_id for each in told]
    random.Random(f"asked:{seed}").shuffle(names)
    return set(names[:count])


def _chosen(told: Sequence[Told], task: TaskConfig, count: int) -> set[str]:
    candidates = [unlabelled(each.example) for each in reversed(told)]
    found = choose_questions(
        candidates,
        [],
        count,
        max_share_per_user=task.batching.max_share_per_user,
        scores=validator_scores(task, candidates, limit_s=float("inf")),  # how busy the machine is shall not matter
    )
    return {question.example.interaction_id for question in found.questions}


def unlabelled(example: Example) -> Example:
    """As it was before anybody said anything of it."""
    return replace(example, revision=1, scalar=None, correction=None, demonstration=None, pairs=(), last_signal_at=None)
