"""JSON Schemas of a job directory's files, for whoever writes a worker in something else than this code.

`make docs` writes them to docs/schemas/; a test holds that what is committed is what the models say.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from learners.job import (
    AnswerPair,
    EvaluateJob,
    EvaluateResult,
    MadeRows,
    PlanStep,
    Pooled,
    Progress,
    Prompt,
    SearchJob,
    SearchResult,
    TrainJob,
    TrainPair,
    TrainResult,
)
from storage.records import Row

_FILES: dict[str, tuple[Any, str]] = {
    "job.train": (TrainJob, "job.json of a train job, written by the daemon"),
    "job.evaluate": (EvaluateJob, "job.json of an evaluate job, written by the daemon"),
    "job.search": (SearchJob, "job.json of a search job, written by the daemon"),
    "rows": (Row, "one line of rows.jsonl or dev.jsonl, written by the daemon"),
    "pool": (Pooled, "one line of pool.jsonl, written by the daemon where the worker chooses the batch"),
    "prompts": (Prompt, "one line of prompts.jsonl, written by the daemon"),
    "made": (MadeRows, "made.json, written by the worker where a learner makes rows"),
    "pairs": (TrainPair, "one line of pairs.jsonl, written by the daemon where a head may judge by people's choices"),
    "plan": (PlanStep, "one line of plan.jsonl, written by the worker"),
    "progress": (Progress, "one line of progress.jsonl, written by the worker"),
    "answers": (AnswerPair, "one line of answers.jsonl, written by the worker"),
    "result.train": (TrainResult, "result.json of a train job, written last by the worker"),
    "result.evaluate": (EvaluateResult, "result.json of an evaluate job, written last by the worker"),
    "result.search": (SearchResult, "result.json of a search job, written last by the worker"),
}


def job_schemas() -> dict[str, dict[str, Any]]:
    """Schema by file name, such as `job.train.json`."""
    return {f"{name}.json": _schema(kind, title) for name, (kind, title) in _FILES.items()}


def _schema(kind: Any, title: str) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}
