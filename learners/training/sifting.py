"""Leaves out rows that the policy has outgrown, before an update trains: see `learners.off_policy` for what and why.

Measured on new pairs and new disliked answers alone; what is replayed is there to be kept, whatever the champion makes
of it. Where training starts from the base and the champion is another, a solved pair is trained on as replay is: what
the champion knows, a fresh adapter does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from learners.job import TrainJob
from learners.off_policy import SOLVED, Held, OffPolicySettings, outgrown
from learners.training.adapters import holds_adapter
from learners.training.drift import mean_log_likelihood
from learners.training.errors import StartMissing
from learners.training.rows import Encoded, EncodedRow, Lost

CHAMPION = "champion"  # the name it has in the model while it is asked


def sift(job: TrainJob, rows: Encoded, model: Any) -> tuple[Encoded, tuple[str, ...]]:
    """The rows without those that are outgrown, counted among the dropped; and what was done with others, in words.

    The model is as training begins with it, and is left so. Raises StartMissing without the champion's files.
    """
    asked = [row for row in rows.rows if not row.replay and (row.rejected_ids or not row.desirable)]
    if job.off_policy is None or not asked:
        return rows, ()
    settings = OffPolicySettings.model_validate(job.off_policy)
    reasons = {row.line: outgrown(held, settings) for row, held in zip(asked, _held(job, asked, model), strict=True)}
    fresh = job.start.mode == "base" and job.champion_path is not None
    kept, lost, replayed = [], dict(rows.lost), 0
    for row in rows.rows:
        why = reasons.get(row.line, "")
        if why == SOLVED and fresh:
            kept.append(replace(row, replay=True))
            replayed += 1
        elif why:
            lost[row.line] = Lost(why, "known")
        else:
            kept.append(row)
    notes = (f"{replayed} pairs solved under the champion are trained on as replay",) if replayed else ()
    return Encoded(tuple(kept), lost), notes


def _held(job: TrainJob, rows: list[EncodedRow], model: Any) -> list[Held]:
    with _as_champion(job, model):
        now = [_likelihoods(model, row) for row in rows]
    if job.champion_path is None:
        return [Held(*each) for each in now]
    with model.disable_adapter():
        before = [_likelihoods(model, row) for row in rows]
    return [Held(*each, *by_base) for each, by_base in zip(now, before, strict=True)]


def _likelihoods(model: Any, row: EncodedRow) -> tuple[float, float | None]:
    other = mean_log_likelihood(model, row.prompt_ids, row.rejected_ids) if row.rejected_ids else None
    return mean_log_likelihood(model, row.prompt_ids, row.completion_ids), other


@contextmanager
def _as_champion(job: TrainJob, model: Any) -> Iterator[None]:
    """Inside, the model speaks as the champion: as the base where that is it, as it is where training starts there."""
    if job.champion_path is None or job.start.mode == "champion":
        with model.disable_adapter() if job.champion_path is None else nullcontext():
            yield
        return
    if not holds_adapter(job.champion_path):
        raise StartMissing(f"The champion's adapter {job.champion_path} is not whole; restore it.")
    model.load_adapter(job.champion_path, adapter_name=CHAMPION, is_trainable=False)
    model.set_adapter(CHAMPION)
    try:
        yield
    finally:
        model.set_adapter("default")
        model.delete_adapter(CHAMPION)
