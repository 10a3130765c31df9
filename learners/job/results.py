"""What a worker says while it works, and what came of a job."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from learners.job.frozen import CONTRACT, Frozen
from storage.records import Origin, Row


class PlanStep(Frozen):
    """One optimizer step: its phase by method, and the lines of rows.jsonl (from 0) that it trains on, in order.

    Lines beyond its last are rows of made.json. `step` counts on through all phases; `stage` is the curriculum's, where
    there is one.
    """

    step: int = Field(ge=0)
    phase: str
    rows: tuple[int, ...]
    stage: str | None = None


class Progress(Frozen):
    """A sign of life with numbers. `done` of `total` are steps of all phases, or answers; `phase` is a method.

    `stage` is the curriculum's, where there is one. Losses are the method's own: nats a token for sft, and not to be
    compared between methods.
    """

    at: datetime
    done: int
    total: int
    phase: str | None = None
    stage: str | None = None
    loss: float | None = None
    dev_loss: float | None = None


class Probe(Frozen):
    """How likely the adapter held a fixed text when it left training: `nll` is the sum over `tokens`, in nats."""

    prompt: str
    completion: str
    nll: float
    tokens: int


class Retention(Frozen):
    """What is left of the base on the general prompts of `learners.retention`: mean KL a token, in nats.

    Of the candidate from the base, and from the champion. `worst` is the largest mean of one prompt, to the base.
    """

    prompts: int
    tokens: int
    kl_base: float
    kl_champion: float
    worst: float


class _Result(Frozen):
    """`warm`: the worker began with the slow libraries loaded. `seconds` of its parts; `total` is all but the fork."""

    contract: Literal[1] = CONTRACT
    reason: str
    seconds: dict[str, float] = {}
    warm: bool = False


class LearnerReport(Frozen):
    """What a learner did in this run and why, a sentence each thing; and its numbers, by name."""

    did: tuple[str, ...] = ()
    numbers: dict[str, float] = {}


class MadeRows(Frozen):
    """made.json: what learners made of the batch, kept so that an attempt that is gone on with trains on the same.

    `parents` are lines of rows.jsonl, one for each of `rows`; rows in the lines `gave_way` are not trained on, but for
    the disliked answers without which KTO would have too few. A line of plan.jsonl beyond the last of rows.jsonl is a
    row of these.
    """

    rows: tuple[Row, ...] = ()
    parents: tuple[int, ...] = ()
    gave_way: tuple[int, ...] = ()
    reports: dict[str, LearnerReport] = {}


class StageDone(Frozen):
    """A stretch of a phase's plan: the name of the stage, its steps, and how many rows it draws on."""

    name: str
    steps: int
    rows: int


class PhaseResult(Frozen):
    """What one phase did. `kl` is from where it began; losses are the method's own.

    `dropped` counts rows that were not trained on, by reason; a phase that lost all of them has no steps. `trained`
    counts each row once for every step that it was in.
    """

    method: str
    rows: int = 0
    dropped: dict[str, int] = {}
    steps: int = 0
    steps_planned: int = 0
    trained: int = 0
    best_step: int | None = None
    dev_rows: int = 0
    early_stopping: str = "off"
    first_loss: float | None = None
    last_loss: float | None = None
    dev_loss: float | None = None
    kl: float | None = None
    stages: tuple[StageDone, ...] = ()
    notes: tuple[str, ...] = ()


class TrainResult(_Result):
    """What came of a train job. With `outcome: failed` there is no adapter, and `reason` says why.

    `rows` and `steps` are over all phases. `kl` is the mean over completion tokens of KL(candidate || start policy) in
    nats, on rows of its own batch. `files` maps the adapter's files to their sha256. `batch` is what the worker chose
    from the pool, null where it was given the batch; `left_out` are examples of it that a schedule left out as noise,
    `unseen` those of which no step saw a row; `unfit`, by why, the examples of which no text can be trained on, chosen
    or not (with `outcome: failed` too).
    `outgrown`: it failed because the champion knew all of its rows already; `try_again`: because a service that a
    learner asks was away.
    """

    kind: Literal["train"] = "train"
    outcome: Literal["trained", "failed"]
    candidate: str
    phases: tuple[PhaseResult, ...] = ()
    learners: dict[str, LearnerReport] = {}
    batch: tuple[Origin, ...] | None = None
    left_out: tuple[Origin, ...] = ()
    unseen: tuple[Origin, ...] = ()
    unfit: dict[str, tuple[Origin, ...]] = {}
    rows: int = 0
    steps: int = 0
    kl: float | None = None
    retention: Retention | None = None
    files: dict[str, str] = {}
    size_bytes: int = 0
    probes: tuple[Probe, ...] = ()
    template_hash: str | None = None
    versions: dict[str, str] = {}
    outgrown: bool = False
    try_again: bool = False


class EvaluateResult(_Result):
    """What came of an evaluate job: how many prompts both answered. Scores are means in [0, 1], for people.

    `try_again`: it failed only because the engine was away or full. `screened`: the candidate was clearly worse on the
    screen, and only that is in answers.jsonl; false where it passed one, null where there was none. `generated` answers
    were asked of the engine, `remembered` were kept. `preferring` is what `judge` and `win_rate` report.
    """

    kind: Literal["evaluate"] = "evaluate"
    outcome: Literal["evaluated", "failed"]
    prompts: int = 0
    try_again: bool = False
    screened: bool | None = None
    generated: int = 0
    remembered: int = 0
    preferring: dict[str, dict[str, Any]] = {}
    candidate_score: float | None = None
    champion_score: float | None = None


class BestTrial(Frozen):
    """The trial of a study that did best: its number, its value (lower is better) and its settings."""

    number: int
    value: float
    settings: dict[str, float]


class SeedPair(Frozen):
    """What both settings of a comparison came to under one seed; null where one gave no number."""

    seed: int
    against: float | None
    settings: float | None


class SearchResult(_Result):
    """What came of a search job. `finished` counts the whole study's trials; the others are of this job.

    `failed` are trials that came to no number: their loss was not finite, or an update would be refused after such a
    training. `lost` are trials that an attempt before this one had begun and could not end.
    """

    kind: Literal["search"] = "search"
    outcome: Literal["searched", "failed"]
    objective: str = ""
    finished: int = 0
    run: int = 0
    pruned: int = 0
    failed: int = 0
    lost: int = 0
    best: BestTrial | None = None
    pairs: tuple[SeedPair, ...] = ()
