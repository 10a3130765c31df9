"""The directory of a train job, as its worker is given it: rows by phase, job.json, and the pool to choose from."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Literal

from daemon.config import Config, TaskConfig
from daemon.embeddings import embeddings_of
from daemon.material import Material, makes
from daemon.methods_on import methods_on
from learners import job as contract
from learners.job_files import copy_checkpoint, read_job, write_job, write_pool, write_rows
from learners.lending import LENDER
from learners.preference import PhaseRows, fewest_of, rows_to_judge_by, rows_to_train
from learners.replay import StartChoice
from storage.records import Update


@dataclass(frozen=True)
class Wanted:
    """One update's training: of what, from where, into which candidate.

    `champion` is the folder of the reigning adapter, None for the bare base.
    """

    update: Update
    task: TaskConfig
    material: Material
    phases: Sequence[PhaseRows]
    choice: StartChoice
    candidate: str
    base: contract.Base
    champion: Path | None


def write_train_job(wanted: Wanted, config: Config, folder: Path, attempt: int) -> None:
    """Fills the directory of that attempt."""
    rows = [rows_to_train(phase) for phase in wanted.phases]
    dev = [rows_to_judge_by(phase) for phase in wanted.phases]
    write_rows(folder / contract.ROWS, [row for mine in rows for row in mine])
    write_rows(folder / contract.DEV_ROWS, [row for judging in dev for row in judging])
    if wanted.material.pool:
        write_pool(folder, wanted.material.pool)
    write_job(folder, _job(wanted, config, attempt, _phases(wanted, rows, dev)))


def go_on(left: Path, folder: Path, attempt: int) -> None:
    """The same job and rows as in the directory `left`, with what the attempt there had reached."""
    job = read_job(left)
    for name in (contract.ROWS, contract.DEV_ROWS, contract.POOL, contract.MADE):
        if (left / name).exists():
            shutil.copyfile(left / name, folder / name)
    copy_checkpoint(left, folder)
    if (left / contract.PROGRESS).is_file():
        shutil.copyfile(left / contract.PROGRESS, folder / contract.PROGRESS)
    write_job(folder, job.model_copy(update={"attempt": attempt}))


def _phases(wanted: Wanted, rows: Sequence[Sequence[Any]], dev: Sequence[Sequence[Any]]) -> tuple[contract.Phase, ...]:
    methods = methods_on(wanted.task, wanted.material.floor)
    settings = {method.name: settings.model_dump() for method, settings in methods}
    phases = tuple(
        contract.Phase(
            method=phase.method,
            settings=settings[phase.method],
            rows=len(mine),
            dev_rows=len(judging),
            fewest=fewest_of(phase.method, wanted.task.preference),
        )
        for phase, mine, judging in zip(wanted.phases, rows, dev, strict=True)
    )
    return (*_standing_by(wanted.phases, settings), *phases)


def _standing_by(phases: Sequence[PhaseRows], settings: Mapping[str, Any]) -> tuple[contract.Phase, ...]:
    """SFT without a row, where KTO was lent all that it had: should the worker find that KTO cannot learn from what it
    has, SFT has them back."""
    lent = any(phase.lent for phase in phases) and all(phase.method != LENDER for phase in phases)
    return (contract.Phase(method=LENDER, settings=settings[LENDER], rows=0, dev_rows=0),) if lent else ()


def _job(wanted: Wanted, config: Config, attempt: int, phases: tuple[contract.Phase, ...]) -> contract.TrainJob:
    update, task, material = wanted.update, wanted.task, wanted.material
    return contract.TrainJob(
        **terms_of(config, task, wanted.base, wanted.choice.mode, wanted.champion, material.gate_keys),
        update_id=update.update_id,
        attempt=attempt,
        candidate=wanted.candidate,
        phases=phases,
        seed=config.updates.seed + update.update_id,
        batch=_limits(update, task) if material.pool else None,
        checkpoint_every_s=config.updates.checkpoint_every,
    )


def terms_of(
    config: Config,
    task: TaskConfig,
    base: contract.Base,
    mode: Literal["base", "champion"],
    champion: Path | None,
    gate_keys: Sequence[str],
) -> dict[str, Any]:
    """What every training of the task goes by, an update's and a search's (`learners.job.Terms`), but for the seed.

    `champion` is the folder of the reigning adapter, None for the bare base; `gate_keys` only learners that make rows
    need.
    """
    path = str(champion) if champion else None
    making = makes(task)
    return {
        "task": task.name,
        "threads": config.updates.threads,
        "time_limit_s": config.updates.time_limit,
        "base": base,
        "start": contract.Start(mode=mode, adapter_path=path if mode == "champion" else None),
        "model": contract.Model.model_validate(
            config.model.model_dump(include={"max_context", "lora", "quantization"})
        ),
        "embeddings": embeddings_of(config),
        "learners": {name: own.model_dump() for name, own in task.hooks.items() if task.learners.on(name)},
        "champion_path": path,
        "off_policy": task.off_policy.model_dump(),
        "max_retention_kl": config.updates.max_retention_kl,
        "validator": validator_of(task) if making else None,
        "gate_keys": tuple(gate_keys) if making else (),
    }


def validator_of(task: TaskConfig) -> contract.ValidatorChoice | None:
    """The task's, for a job."""
    return None if task.validator is None else contract.ValidatorChoice(**task.validator.model_dump())


def _limits(update: Update, task: TaskConfig) -> contract.BatchLimits:
    """What the batch was begun with; an update that an older daemon began does not say, and has them by its size."""
    size = len(update.report["batch"])
    limits = update.report.get("limits", {"size": size, "cap": ceil(task.batching.max_share_per_user * size)})
    return contract.BatchLimits(size=limits["size"], cap=limits["cap"], min_users=task.batching.min_users)
