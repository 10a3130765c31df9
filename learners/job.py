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
This module holds the shapes; `learners.job_files` reads and writes them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from consumers.similarity import SimilaritySettings
from learners.model import DEFAULT_EMBEDDINGS
from storage.records import Message, Origin, Row

CONTRACT: Literal[1] = 1

JOB = "job.json"
ROWS = "rows.jsonl"
DEV_ROWS = "dev.jsonl"
PAIRS = "pairs.jsonl"
POOL = "pool.jsonl"
MADE = "made.json"
PLAN = "plan.jsonl"
PROGRESS = "progress.jsonl"
PROMPTS = "prompts.jsonl"
ANSWERS = "answers.jsonl"
ADAPTER = "adapter"
CHECKPOINT = "checkpoint"
RESULT = "result.json"
HEARTBEAT = "heartbeat"
LOG = "worker.log"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Base(_Frozen):
    """The model that adapters are made for: its folder, and what its files hash to (`learners.base.base_hash`)."""

    path: str
    hash: str


class Start(_Frozen):
    """Where the weights begin: a fresh LoRA on the base, or the champion's, read from `adapter_path`."""

    mode: Literal["base", "champion"]
    adapter_path: str | None = None


class Lora(_Frozen):
    """Shape of the adapter. The update of a matrix is `alpha / rank * B A`; dropout applies while training.

    `rslora` scales by alpha / sqrt(rank) instead (Kalajdzievski, arXiv 2312.03732, 2023); `dora` learns the magnitude
    of each weight apart from its direction (Liu et al., arXiv 2402.09353, 2024).
    """

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.05, ge=0, lt=1)
    target_modules: str | tuple[str, ...] = "all-linear"
    rslora: bool = False
    dora: bool = False


class Model(_Frozen):
    """`max_context` counts tokens of prompt and completion together; longer rows are dropped, not cut.

    `quantization`: the base is held in 4 bits while an adapter is trained over it (Dettmers et al., "QLoRA", 2023).
    """

    max_context: int = Field(2048, ge=8)
    lora: Lora = Lora()
    quantization: Literal["none", "4bit"] = "none"


class Embeddings(_Frozen):
    """Which sentence model compares texts, and the folder where vectors are kept; null keeps none."""

    model: str = DEFAULT_EMBEDDINGS
    cache: str | None = None


class BatchLimits(_Frozen):
    """How the worker may choose the batch from pool.jsonl: so many examples, no user in more than `cap` of them."""

    size: int = Field(ge=1)
    cap: int = Field(ge=1)
    min_users: int = Field(1, ge=1)


class Pooled(_Frozen):
    """One example that may go into the batch; its rows in rows.jsonl bear the same origin. `users` are numbers.

    `failures` are the kinds of failure that its response shows and that are not fixed yet (`learners.failures`).
    """

    origin: Origin
    users: tuple[int, ...]
    weight: float = Field(ge=0)
    failures: tuple[str, ...] = ()


class _Job(_Frozen):
    contract: Literal[1] = CONTRACT
    task: str
    update_id: int
    attempt: int = Field(1, ge=1)
    threads: int = Field(1, ge=1)
    time_limit_s: float | None = Field(None, gt=0)


class Phase(_Frozen):
    """One method at work, on the next `rows` lines of rows.jsonl and `dev_rows` of dev.jsonl after the phase before it.

    null is all that are left. `settings` are the method's own (`learners.methods`).
    """

    method: str
    settings: dict[str, Any] = {}
    rows: int | None = Field(None, ge=0)
    dev_rows: int | None = Field(None, ge=0)


class ValidatorChoice(_Frozen):
    """Which validator scores the answers, with its settings."""

    name: str
    settings: dict[str, Any] = {}


class TrainJob(_Job):
    """Make `candidate` from `rows.jsonl`, in phases: each goes on from where the one before it ended.

    `learners` are those whose hooks take part, with their settings (`learners.hooks`). With `batch`, the worker chooses
    it from pool.jsonl; without, all rows are trained on. `champion_path` is the adapter that reigns, null where that is
    the base; by it `off_policy` (`updates.off_policy`) measures which rows are outgrown, null for none, and the
    candidate is compared with it on general prompts. With more than `max_retention_kl` nats a token between candidate
    and base the job fails. Without `checkpoint_every_s` a checkpoint is written only when the worker is asked to end.

    For learners that make rows: `validator` judges what they make, the champion answers for them; `gate_keys` are
    hashes of prompts, and of prompts with answers, of the gate.
    """

    kind: Literal["train"] = "train"
    candidate: str
    phases: tuple[Phase, ...] = Field(min_length=1)
    seed: int
    base: Base
    start: Start
    model: Model = Model()
    learners: dict[str, dict[str, Any]] = {}
    embeddings: Embeddings = Embeddings()
    batch: BatchLimits | None = None
    champion_path: str | None = None
    off_policy: dict[str, Any] | None = None
    checkpoint_every_s: float | None = Field(None, gt=0)
    max_retention_kl: float | None = Field(None, gt=0)
    validator: ValidatorChoice | None = None
    gate_keys: tuple[str, ...] = ()


class EngineAddress(_Frozen):
    """An OpenAI-compatible engine that can load adapters; `timeout_s` bounds one request."""

    url: str
    timeout_s: float = Field(120.0, gt=0)


class Contender(_Frozen):
    """An adapter under judgement. `path` is null for the bare base; `engine_model` is the name it is served under.

    `identity` hashes the base and the adapter's files: what it said is kept under it, where answers are kept.
    """

    name: str
    path: str | None = None
    engine_model: str | None = None
    identity: str | None = None


class SamplingChoice(_Frozen):
    """How answers are drawn. Temperature 0 is greedy; `max_tokens` null leaves the limit to the engine."""

    max_tokens: int | None = Field(None, ge=1)
    temperature: float = Field(0.0, ge=0)


class Screen(_Frozen):
    """Ask `prompts` of the gate's first, drawn by `seed`; whoever is worse on them, at error `level`, is done with.

    `primary` and `max_share_per_user` are the gate's.
    """

    prompts: int = Field(ge=1)
    level: float = Field(gt=0, lt=1)
    seed: int
    primary: str
    max_share_per_user: float = 1.0


class EvaluateJob(_Job):
    """Let candidate and champion answer the same `prompts.jsonl`, and score what they say.

    `kept_answers` is the folder of answers that earlier jobs got; null asks for everything anew. `similarity` says how
    answers are compared with human targets.
    `judge` are the settings of `gate.judge`. Where there is a pairs.jsonl, the win-rate head is learned from it.
    """

    kind: Literal["evaluate"] = "evaluate"
    engine: EngineAddress
    candidate: Contender
    champion: Contender
    validator: ValidatorChoice | None = None
    sampling: SamplingChoice = SamplingChoice()
    similarity: SimilaritySettings = SimilaritySettings()
    screen: Screen | None = None
    kept_answers: str | None = None
    embeddings: Embeddings = Embeddings()
    judge: dict[str, Any] | None = None


class Knob(_Frozen):
    """One setting that a search turns, from `low` to `high`; `log`: evenly by ratio; `whole`: whole numbers only."""

    name: str
    low: float
    high: float
    log: bool = False
    whole: bool = False
    configured: float


class StudyPlace(_Frozen):
    """Where Optuna's journal is, and what the study is called in it."""

    path: str
    name: str


class Comparison(_Frozen):
    """Settings against those in force, trained once each under every seed."""

    settings: dict[str, float]
    against: dict[str, float]
    seeds: tuple[int, ...] = Field(min_length=1)


class SearchJob(_Job):
    """Try settings of `method` in short trainings on rows.jsonl, scored on dev.jsonl; it belongs to no update.

    Rows marked `replay` are drawn from by the share that a trial wants. A trial's value is lower where it did better:
    nats a token on the dev rows, or one minus the validator's mean score. With `comparison`, no trials are run: each
    seed trains both settings, and what earlier attempts finished is not run again.
    """

    kind: Literal["search"] = "search"
    update_id: int = 0
    method: str
    settings: dict[str, Any] = {}
    study: StudyPlace
    knobs: tuple[Knob, ...] = Field(min_length=1)
    start_from: dict[str, float] = {}
    trials: int = Field(ge=0)
    wanted: int = Field(ge=1)
    comparison: Comparison | None = None
    seed: int
    base: Base
    start: Start
    model: Model = Model()
    learners: dict[str, dict[str, Any]] = {}
    validator: ValidatorChoice | None = None
    sampling: SamplingChoice = SamplingChoice()


class PlanStep(_Frozen):
    """One optimizer step: its phase by method, and the lines of rows.jsonl (from 0) that it trains on, in order.

    Lines beyond its last are rows of made.json. `step` counts on through all phases; `stage` is the curriculum's, where
    there is one.
    """

    step: int = Field(ge=0)
    phase: str
    rows: tuple[int, ...]
    stage: str | None = None


class Progress(_Frozen):
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


class Probe(_Frozen):
    """How likely the adapter held a fixed text when it left training: `nll` is the sum over `tokens`, in nats."""

    prompt: str
    completion: str
    nll: float
    tokens: int


class Retention(_Frozen):
    """What is left of the base on the general prompts of `learners.retention`: mean KL a token, in nats.

    Of the candidate from the base, and from the champion. `worst` is the largest mean of one prompt, to the base.
    """

    prompts: int
    tokens: int
    kl_base: float
    kl_champion: float
    worst: float


class _Result(_Frozen):
    """`warm`: the worker began with the slow libraries loaded. `seconds` of its parts; `total` is all but the fork."""

    contract: Literal[1] = CONTRACT
    reason: str
    seconds: dict[str, float] = {}
    warm: bool = False


class LearnerReport(_Frozen):
    """What a learner did in this run and why, a sentence each thing; and its numbers, by name."""

    did: tuple[str, ...] = ()
    numbers: dict[str, float] = {}


class MadeRows(_Frozen):
    """made.json: what learners made of the batch, kept so that an attempt that is gone on with trains on the same.

    `parents` are lines of rows.jsonl, one for each of `rows`; rows in the lines `gave_way` are not trained on. A line
    of plan.jsonl beyond the last of rows.jsonl is a row of these.
    """

    rows: tuple[Row, ...] = ()
    parents: tuple[int, ...] = ()
    gave_way: tuple[int, ...] = ()
    reports: dict[str, LearnerReport] = {}


class StageDone(_Frozen):
    """A stretch of a phase's plan: the name of the stage, its steps, and how many rows it draws on."""

    name: str
    steps: int
    rows: int


class PhaseResult(_Frozen):
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
    from the pool, null where it was given the batch; `left_out` are examples of it of which no row was trained on.
    `outgrown`: it failed because the champion knew all of its rows already.
    """

    kind: Literal["train"] = "train"
    outcome: Literal["trained", "failed"]
    candidate: str
    phases: tuple[PhaseResult, ...] = ()
    learners: dict[str, LearnerReport] = {}
    batch: tuple[Origin, ...] | None = None
    left_out: tuple[Origin, ...] = ()
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


class EvaluateResult(_Result):
    """What came of an evaluate job: how many prompts both answered. Scores are means in [0, 1], for people.

    `try_again`: it failed only because the engine was away or full. `screened`: the candidate was clearly worse on the
    screen, and only that is in answers.jsonl. `generated` answers were asked of the engine, `remembered` were kept.
    `preferring` is what `judge` and `win_rate` report.
    """

    kind: Literal["evaluate"] = "evaluate"
    outcome: Literal["evaluated", "failed"]
    prompts: int = 0
    try_again: bool = False
    screened: bool = False
    generated: int = 0
    remembered: int = 0
    preferring: dict[str, dict[str, Any]] = {}
    candidate_score: float | None = None
    champion_score: float | None = None


class BestTrial(_Frozen):
    """The trial of a study that did best: its number, its value (lower is better) and its settings."""

    number: int
    value: float
    settings: dict[str, float]


class SeedPair(_Frozen):
    """What both settings of a comparison came to under one seed; null where one gave no number."""

    seed: int
    against: float | None
    settings: float | None


class SearchResult(_Result):
    """What came of a search job. `finished` counts the whole study's trials; the others are of this job.

    `lost` are trials that an attempt before this one had begun and could not end.
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


class Compared(_Frozen):
    """Two texts of which a human chose one."""

    chosen: str
    rejected: str


class TrainPair(_Frozen):
    """One line of pairs.jsonl: two answers to one prompt of the train fold, of which a human chose one."""

    prompt: str
    chosen: str
    rejected: str
    weight: float = Field(1.0, ge=0)


Part = Literal["gate", "golden", "retention"]


class Prompt(_Frozen):
    """One thing to ask. `target` is a human's text and `pair` a human's choice, where there is one.

    `user` numbers users within this job. Of a retention prompt only the target's likelihood is measured.
    """

    id: str
    part: Part = "gate"
    messages: tuple[Message, ...]
    target: str | None = None
    pair: Compared | None = None
    weight: float = Field(1.0, ge=0)
    user: int | None = None


class Likelihood(_Frozen):
    """How likely a contender holds a text: `nll` is the sum over its `tokens`, in nats."""

    nll: float
    tokens: int = Field(ge=1)


class Measures(_Frozen):
    """What is measured of one answer for people to read; null where it cannot be told (`learners.gate.measures`).

    `similarity`, `edit`, `bleu`, `rouge_l` and `exact` compare it with the human target, in [0, 1]; `generic` is 1 for
    one that would fit any prompt; `self_similarity` is how alike it is to the contender's other answers, in [0, 1].
    `kl`, of a candidate, is log p(candidate) - log p(champion) of its own answer, in nats per token.
    """

    similarity: float | None = None
    edit: float | None = None
    bleu: float | None = None
    rouge_l: float | None = None
    exact: float | None = None
    generic: float | None = None
    self_similarity: float | None = None
    kl: float | None = None


class JudgedAnswer(_Frozen):
    """What one contender said. `score` and `checks` are the validator's; `nll_per_token` is of the human target.

    `entropy` (nats) is the mean entropy of the next-token distribution over the target, where the engine tells.
    `chosen` and `rejected` are of the pair; a text that is too long for the engine has none.
    """

    text: str
    finish_reason: str
    tokens: int
    score: float | None = None
    passed: bool | None = None
    checks: dict[str, bool] = {}
    parts: dict[str, float] = {}
    nll_per_token: float | None = None
    entropy: float | None = None
    chosen: Likelihood | None = None
    rejected: Likelihood | None = None
    measures: Measures = Measures()


class AnswerPair(_Frozen):
    """Both contenders on one prompt. `target_generic`: whether the human's own text would fit any prompt. `preferred`,
    by `judge` or `win_rate`, is 1 for the candidate's answer, 0 for the champion's, 0.5 for a tie.
    """

    id: str
    part: Part = "gate"
    target_generic: bool | None = None
    weight: float
    candidate: JudgedAnswer
    champion: JudgedAnswer
    target: str | None = None
    pair: Compared | None = None
    user: int | None = None
    preferred: dict[str, float] = {}
