"""An evaluate job as it is handed out, and what of its answers is kept as scores. Pure but for the paths it names."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from daemon.config import Config, TaskConfig
from daemon.embeddings import embeddings_of
from learners import job as contract
from learners.gate import GateRow, Judgement, screen_level
from learners.yardsticks import SCORED, likelihood_yardstick, set_yardstick, validator_yardstick
from storage.artifacts import Artifacts
from storage.records import Adapter, Look, Score, Update

ANSWER_TOKENS = 512
KEPT_ANSWERS = "answers"  # folder beside the job directories (`learners.training.kept_answers`)


def evaluate_job(
    update: Update,
    attempt: int,
    config: Config,
    task: TaskConfig,
    contenders: tuple[contract.Contender, contract.Contender],
    looks: Sequence[Look],
    engine_url: str,
    jobs: Path,
) -> contract.EvaluateJob:
    """For candidate and champion, in this order; `jobs` is the folder of job directories."""
    return contract.EvaluateJob(
        task=update.task,
        update_id=update.update_id,
        attempt=attempt,
        threads=1,
        time_limit_s=config.updates.time_limit,
        engine=contract.EngineAddress(url=engine_url),
        candidate=contenders[0],
        champion=contenders[1],
        validator=task.validator and contract.ValidatorChoice(**task.validator.model_dump()),
        yardstick=yardstick_of(task),
        sampling=contract.SamplingChoice(max_tokens=min(ANSWER_TOKENS, config.model.max_context)),
        similarity=config.similarity,
        embeddings=embeddings_of(config),
        judge=task.gate.judge and task.gate.judge.model_dump(mode="json"),
        screen=_screen(update, task, looks),
        kept_answers=str(jobs / KEPT_ANSWERS),
    )


def _screen(update: Update, task: TaskConfig, looks: Sequence[Look]) -> contract.Screen | None:
    """Before a first look alone: whoever was held has shown that it is not clearly worse. Not where a judge or the head
    decides: they compare after everything was answered, and likelihood must not reject before them."""
    if looks or not task.gate.screen or task.gate.judge is not None or task.gate.primary == "win_rate":
        return None
    return contract.Screen(
        prompts=task.gate.screen,
        level=screen_level(task.gate.alpha, task.gate.looks),
        seed=update.update_id,
        primary=task.gate.primary,
        max_share_per_user=task.batching.max_share_per_user,
    )


def yardstick_of(task: TaskConfig) -> str | None:
    """By what the validator in force scores; None where there is none."""
    choice = task.validator
    return None if choice is None else validator_yardstick(choice.name, choice.settings)


def contender(adapter: Adapter, artifacts: Artifacts, served: Mapping[str, str]) -> contract.Contender:
    """An adapter as a job names it; `served` are the engine's names of adapters."""
    path = artifacts.path_of(adapter)
    return contract.Contender(
        name=adapter.name,
        path=str(path) if path else None,
        engine_model=served.get(adapter.name),
        identity=_identity(adapter),
    )


def _identity(adapter: Adapter) -> str:
    """What decides its answers: the base and the adapter's files."""
    return hashlib.sha256(json.dumps([adapter.base_hash, sorted(adapter.files.items())]).encode()).hexdigest()


def kl_of(update: Update) -> float | None:
    """The farthest that training, or one phase of it, moved the candidate from where that began; nats per token."""
    training: dict[str, Any] = update.report.get("training", {})
    found = [training.get("kl"), *(phase.get("kl") for phase in training.get("phases", ()))]
    return max((float(kl) for kl in found if kl is not None), default=None)


def yardstick_of_primary(primary: str | None, job: contract.EvaluateJob, base_hash: str) -> str | None:
    """Of what the gate read; None where that compares two adapters (a judge, the head), or nothing was read."""
    if primary not in SCORED:
        return None
    return job.yardstick if primary == "validator" else likelihood_yardstick(base_hash)


def likelihoods_of(judgement: Judgement, job: contract.EvaluateJob, base_hash: str, now: datetime) -> list[Score]:
    """What both were worth to the gate, where that is how likely they find texts: `nll` or `nll_chosen`.

    The gate's own figures, weights and caps included. Of a validator `scores_of` has them, also where another thing
    decides.
    """
    metric = judgement.primary
    if metric not in SCORED or metric == "validator":
        return []
    by, count = likelihood_yardstick(base_hash), judgement.prompts
    sides = ((job.candidate.name, judgement.candidate_score), (job.champion.name, judgement.champion_score))
    return [Score(name, metric, value, count, now, by) for name, value in sides if value is not None]


def scores_of(job: contract.EvaluateJob, rows: Sequence[GateRow], now: datetime) -> list[Score]:
    """Mean validator scores of both, where there is a validator, and what they are worth on golden and retention."""
    sides = [(job.candidate.name, "candidate"), (job.champion.name, "champion")]
    by = _yardsticks(job, rows)
    return [
        Score(name, metric, fmean(values), len(values), now, by[metric])
        for name, side in sides
        for metric, values in _worths(rows, side).items()
        if values
    ]


def _yardsticks(job: contract.EvaluateJob, rows: Sequence[GateRow]) -> dict[str, str | None]:
    """By metric. The gate's own prompts are no part of the validator's: they change with every judging, and should."""
    return {
        "validator": job.yardstick,
        "golden": set_yardstick(_items(rows, "golden"), job.similarity.model_dump(mode="json", exclude_defaults=True)),
        "retention": set_yardstick(_items(rows, "retention")),
    }


def _items(rows: Sequence[GateRow], part: str) -> list[tuple[str, str]]:
    """The prompts of a set that both could answer, and their targets."""
    return [(row.prompt or row.id, row.target or "") for row in rows if row.part == part]


def _worths(rows: Sequence[GateRow], side: str) -> dict[str, list[float]]:
    said = [(row.part, getattr(row, side)) for row in rows]
    golden = [one.measures.get("similarity") for part, one in said if part == "golden"]
    return {
        "validator": [one.score for part, one in said if part == "gate" and one.score is not None],
        "golden": [value for value in golden if value is not None],
        "retention": [
            math.exp(-one.nll_per_token) for part, one in said if part == "retention" and one.nll_per_token is not None
        ],
    }
