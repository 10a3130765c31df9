"""Reads and writes the files of a job directory (shapes: `learners.job`).

Every file appears whole: it is written under a temporary name, flushed to disk and renamed; only `progress.jsonl`
grows line by line, and a reader skips a last line that is still being written. Errors name the file and the line, and
never quote what is in it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from learners.errors import LearnerError
from learners.job import (
    ANSWERS,
    CHECKPOINT,
    JOB,
    MADE,
    PAIRS,
    PLAN,
    POOL,
    PROGRESS,
    PROMPTS,
    RESULT,
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

CHECKPOINT_BEFORE = "checkpoint.before"
COPY = "copied"
Job = TrainJob | EvaluateJob | SearchJob
Result = TrainResult | EvaluateResult | SearchResult
AnyJob = Annotated[Job, Field(discriminator="kind")]
AnyResult = Annotated[Result, Field(discriminator="kind")]
T = TypeVar("T")
_JOBS: TypeAdapter[Job] = TypeAdapter(AnyJob)
_RESULTS: TypeAdapter[Result] = TypeAdapter(AnyResult)
_ROWS: TypeAdapter[Row] = TypeAdapter(Row)


class JobFileBroken(LearnerError):
    """A file of a job directory is missing or does not hold what the contract says.

    To do: nothing at first, the attempt is made again; a worker of another version of adaptd must be brought to this
    one.

    Shows as: the reason of a failed attempt.
    """


def write_job(directory: Path, job: Job) -> None:
    write_whole(directory / JOB, _JOBS.dump_json(job, indent=2))


def read_job(directory: Path) -> Job:
    """Raises JobFileBroken."""
    return _parse(_JOBS, directory / JOB, _bytes_of(directory / JOB))


def write_result(directory: Path, result: Result) -> None:
    """The last thing that a worker does: whoever sees this file sees a finished attempt."""
    write_whole(directory / RESULT, _RESULTS.dump_json(result, indent=2))


def read_result(directory: Path) -> Result | None:
    """None while there is no result. Raises JobFileBroken when there is one that cannot be read."""
    path = directory / RESULT
    return _parse(_RESULTS, path, _bytes_of(path)) if path.exists() else None


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Rows without their users: who said something is known in the store alone."""
    write_whole(path, b"".join(_ROWS.dump_json(replace(row, user_id=None)) + b"\n" for row in rows))


def read_rows(path: Path) -> tuple[Row, ...]:
    """Raises JobFileBroken, also for a weight that is negative or not a number: no method may be given one."""
    rows = tuple(_parse(_ROWS, path, line, number) for number, line in _lines(path))
    for number, row in enumerate(rows, 1):
        if not (isfinite(row.weight) and row.weight >= 0):
            raise JobFileBroken(f"{path}, line {number}: weight {row.weight} is not a number >= 0.")
    return rows


def write_pool(directory: Path, pool: Sequence[Pooled]) -> None:
    _write_models(directory / POOL, pool)


def read_pool(directory: Path) -> tuple[Pooled, ...]:
    """Raises JobFileBroken."""
    return _read_models(directory / POOL, Pooled)


def write_made(directory: Path, made: MadeRows) -> None:
    write_whole(directory / MADE, made.model_dump_json(indent=2).encode())


def read_made(directory: Path) -> MadeRows | None:
    """None while nothing was made. Raises JobFileBroken."""
    path = directory / MADE
    return _parse(TypeAdapter(MadeRows), path, _bytes_of(path)) if path.exists() else None


def write_plan(directory: Path, steps: Sequence[PlanStep]) -> None:
    """The steps of all phases, in the order in which they train."""
    _write_models(directory / PLAN, steps)


def read_plan(directory: Path) -> tuple[PlanStep, ...]:
    return _read_models(directory / PLAN, PlanStep)


def write_prompts(directory: Path, prompts: Sequence[Prompt]) -> None:
    _write_models(directory / PROMPTS, prompts)


def read_prompts(directory: Path) -> tuple[Prompt, ...]:
    return _read_models(directory / PROMPTS, Prompt)


def write_pairs(directory: Path, pairs: Sequence[TrainPair]) -> None:
    _write_models(directory / PAIRS, pairs)


def read_pairs(directory: Path) -> tuple[TrainPair, ...]:
    """Raises JobFileBroken."""
    return _read_models(directory / PAIRS, TrainPair)


def write_answers(directory: Path, answers: Sequence[AnswerPair]) -> None:
    _write_models(directory / ANSWERS, answers)


def read_answers(directory: Path) -> tuple[AnswerPair, ...]:
    return _read_models(directory / ANSWERS, AnswerPair)


def append_progress(directory: Path, progress: Progress) -> None:
    with (directory / PROGRESS).open("ab") as file:
        file.write(progress.model_dump_json().encode() + b"\n")


def read_progress(directory: Path) -> tuple[Progress, ...]:
    """Every whole line, without one that is still being written; none where there is no file. Raises JobFileBroken."""
    path = directory / PROGRESS
    whole = path.read_bytes().rpartition(b"\n")[0].splitlines() if path.exists() else []
    return tuple(_parse(TypeAdapter(Progress), path, line, number) for number, line in enumerate(whole, 1))


def last_progress(directory: Path) -> Progress | None:
    """The newest whole line, or None before the first. Raises JobFileBroken."""
    path = directory / PROGRESS
    if not path.exists():
        return None
    whole = path.read_bytes().rpartition(b"\n")[0].splitlines()
    return _parse(TypeAdapter(Progress), path, whole[-1], len(whole)) if whole else None


def find_checkpoint(directory: Path) -> Path | None:
    """What an attempt that ended without a result left to go on from; a kill may have met it between two renames."""
    return next((path for name in (CHECKPOINT, CHECKPOINT_BEFORE) if (path := directory / name).is_dir()), None)


def copy_checkpoint(left: Path, directory: Path) -> None:
    """Into the directory of the next attempt, marked as a copy until that attempt saves one of its own."""
    found = find_checkpoint(left)
    assert found is not None, "asked only where there is one"
    shutil.copytree(found, directory / CHECKPOINT)
    (directory / CHECKPOINT / COPY).touch()


def is_copy(checkpoint: Path) -> bool:
    """Whether the attempt came no further than the one before it."""
    return (checkpoint / COPY).exists()


def write_whole(path: Path, data: bytes) -> None:
    """All of it or nothing, also through a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _write_models(path: Path, models: Sequence[BaseModel]) -> None:
    write_whole(path, b"".join(model.model_dump_json().encode() + b"\n" for model in models))


def _read_models(path: Path, kind: type[T]) -> tuple[T, ...]:
    adapter = TypeAdapter(kind)
    return tuple(_parse(adapter, path, line, number) for number, line in _lines(path))


def _lines(path: Path) -> Iterable[tuple[int, bytes]]:
    return [(number, line) for number, line in enumerate(_bytes_of(path).split(b"\n"), 1) if line]


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise JobFileBroken(f"{path} cannot be read ({error.strerror}); was the job directory made whole?") from None


def _parse(adapter: TypeAdapter[T], path: Path, data: bytes, line: int | None = None) -> T:
    try:
        return adapter.validate_json(data)
    except ValidationError as error:
        where = f"{path}, line {line}" if line else str(path)
        raise JobFileBroken(f"{where}: {_what(error)}. Was it written by another version of adaptd?") from None


def _what(error: ValidationError) -> str:
    """Field and kind of the first fault, without the value, which may be a user's text."""
    first: Any = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'the whole'}: {first['type']}"
