"""The contract between daemon and worker: the files of one job directory, and how they are read and written.

Why files: a worker may crash, be killed, run on another machine, or be looked at a week later; a directory survives
all four. The daemon writes `job.json` and the rows or prompts, the worker everything else, `result.json` last and
atomically: a directory without it is an attempt that did not end.

    train     job.json rows.jsonl dev.jsonl             -> plan.jsonl progress.jsonl heartbeat adapter/ result.json
              in phases: one method after the other, each on rows of its own; with pool.jsonl, the rows are those of
              the whole pool, and the worker chooses the batch; what learners make of it is in made.json
    evaluate  job.json prompts.jsonl                    -> answers.jsonl progress.jsonl heartbeat result.json
    search    job.json rows.jsonl dev.jsonl             -> progress.jsonl heartbeat result.json
              trials of a method's settings, or a comparison of two; Optuna's journal is where the job says, so that
              what is finished survives the worker

A train worker that ends without a result (asked to, or killed) leaves `checkpoint/`, where its method can go on from
one; the next attempt is given a copy of it with the same job and rows.

No file names a user: rows are written without `user_id`, and a prompt's `user` is a number that means something in
this directory only. The JSON Schemas in `docs/schemas/` are made from these models (`learners.job_schemas`).
This package holds the shapes; `learners.job_files` reads and writes them.
"""

from __future__ import annotations

from learners.job.answers import (
    AnswerPair,
    Compared,
    JudgedAnswer,
    Likelihood,
    Measures,
    Part,
    Prompt,
    TrainPair,
)
from learners.job.frozen import (
    CONTRACT,
)
from learners.job.jobs import (
    Base,
    BatchLimits,
    Comparison,
    Contender,
    Embeddings,
    EngineAddress,
    EvaluateJob,
    Knob,
    Lora,
    Model,
    Phase,
    Pooled,
    SamplingChoice,
    Screen,
    SearchJob,
    Start,
    StudyPlace,
    Terms,
    TrainJob,
    ValidatorChoice,
)
from learners.job.names import (
    ADAPTER,
    ANSWERS,
    CHECKPOINT,
    DEV_ROWS,
    HEARTBEAT,
    JOB,
    LOG,
    MADE,
    PAIRS,
    PLAN,
    POOL,
    PROGRESS,
    PROMPTS,
    RESULT,
    ROWS,
)
from learners.job.results import (
    BestTrial,
    EvaluateResult,
    LearnerReport,
    MadeRows,
    PhaseResult,
    PlanStep,
    Probe,
    Progress,
    Retention,
    SearchResult,
    SeedPair,
    StageDone,
    TrainResult,
)

__all__ = [
    "ADAPTER",
    "ANSWERS",
    "CHECKPOINT",
    "CONTRACT",
    "DEV_ROWS",
    "HEARTBEAT",
    "JOB",
    "LOG",
    "MADE",
    "PAIRS",
    "PLAN",
    "POOL",
    "PROGRESS",
    "PROMPTS",
    "RESULT",
    "ROWS",
    "AnswerPair",
    "Base",
    "BatchLimits",
    "BestTrial",
    "Compared",
    "Comparison",
    "Contender",
    "Embeddings",
    "EngineAddress",
    "EvaluateJob",
    "EvaluateResult",
    "JudgedAnswer",
    "Knob",
    "LearnerReport",
    "Likelihood",
    "Lora",
    "MadeRows",
    "Measures",
    "Model",
    "Part",
    "Phase",
    "PhaseResult",
    "PlanStep",
    "Pooled",
    "Probe",
    "Progress",
    "Prompt",
    "Retention",
    "SamplingChoice",
    "Screen",
    "SearchJob",
    "SearchResult",
    "SeedPair",
    "StageDone",
    "Start",
    "StudyPlace",
    "Terms",
    "TrainJob",
    "TrainPair",
    "TrainResult",
    "ValidatorChoice",
]
