"""What the daemon asks of a worker: train, evaluate and search jobs, and the files beside them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from consumers.similarity import SimilaritySettings
from learners.job.frozen import CONTRACT, Frozen
from learners.model import DEFAULT_EMBEDDINGS
from storage.records import Origin


class Base(Frozen):
    """The model that adapters are made for: its folder, and what its files hash to (`learners.base.base_hash`)."""

    path: str
    hash: str


class Start(Frozen):
    """Where the weights begin: a fresh LoRA on the base, or the champion's, read from `adapter_path`."""

    mode: Literal["base", "champion"]
    adapter_path: str | None = None


class Lora(Frozen):
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


class Model(Frozen):
    """`max_context` counts tokens of prompt and completion together; longer rows are dropped, not cut.

    `quantization`: the base is held in 4 bits while an adapter is trained over it (Dettmers et al., "QLoRA", 2023).
    """

    max_context: int = Field(2048, ge=8)
    lora: Lora = Lora()
    quantization: Literal["none", "4bit"] = "none"


class Embeddings(Frozen):
    """Which sentence model compares texts, and the folder where vectors are kept; null keeps none."""

    model: str = DEFAULT_EMBEDDINGS
    cache: str | None = None


class BatchLimits(Frozen):
    """How the worker may choose the batch from pool.jsonl: so many examples, no user in more than `cap` of them."""

    size: int = Field(ge=1)
    cap: int = Field(ge=1)
    min_users: int = Field(1, ge=1)


class Pooled(Frozen):
    """One example that may go into the batch; its rows in rows.jsonl bear the same origin. `users` are numbers.

    `failures` are the kinds of failure that its response shows and that are not fixed yet (`learners.failures`).
    """

    origin: Origin
    users: tuple[int, ...]
    weight: float = Field(ge=0)
    failures: tuple[str, ...] = ()


class _Job(Frozen):
    contract: Literal[1] = CONTRACT
    task: str
    update_id: int
    attempt: int = Field(1, ge=1)
    threads: int = Field(1, ge=1)
    time_limit_s: float | None = Field(None, gt=0)


class Phase(Frozen):
    """One method at work, on the next `rows` lines of rows.jsonl and `dev_rows` of dev.jsonl after the phase before it.

    null is all that are left; 0 stands by for what another method gives back. `settings` are the method's own
    (`learners.methods`). With fewer rows than `fewest` (KTO: of either sign) in the batch that the worker chose, the
    replayed ones among them, there is no such phase.
    """

    method: str
    settings: dict[str, Any] = {}
    rows: int | None = Field(None, ge=0)
    dev_rows: int | None = Field(None, ge=0)
    fewest: int = Field(0, ge=0)


class ValidatorChoice(Frozen):
    """Which validator scores the answers, with its settings."""

    name: str
    settings: dict[str, Any] = {}


class Terms(_Job):
    """What every training of a task goes by: an update's, and each trial of a search, which is one in small.

    `learners` are those whose hooks take part, with their settings (`learners.hooks`). `champion_path` is the adapter
    that reigns, null where that is the base; by it `off_policy` (`updates.off_policy`) measures which rows are
    outgrown, null for none, and the candidate is compared with it on general prompts. With more than
    `max_retention_kl` nats a token between candidate and base the training fails.

    For learners that make rows: `validator` judges what they make, the champion answers for them; `gate_keys` are
    hashes of prompts, and of prompts with answers, of the gate.
    """

    seed: int
    base: Base
    start: Start
    model: Model = Model()
    learners: dict[str, dict[str, Any]] = {}
    embeddings: Embeddings = Embeddings()
    champion_path: str | None = None
    off_policy: dict[str, Any] | None = None
    max_retention_kl: float | None = Field(None, gt=0)
    validator: ValidatorChoice | None = None
    gate_keys: tuple[str, ...] = ()


class TrainJob(Terms):
    """Make `candidate` from `rows.jsonl`, in phases: each goes on from where the one before it ended.

    With `batch`, the worker chooses it from pool.jsonl; without, all rows are trained on. Without `checkpoint_every_s`
    a checkpoint is written only when the worker is asked to end.
    """

    kind: Literal["train"] = "train"
    candidate: str
    phases: tuple[Phase, ...] = Field(min_length=1)
    batch: BatchLimits | None = None
    checkpoint_every_s: float | None = Field(None, gt=0)


class EngineAddress(Frozen):
    """An OpenAI-compatible engine that can load adapters; `timeout_s` bounds one request."""

    url: str
    timeout_s: float = Field(120.0, gt=0)


class Contender(Frozen):
    """An adapter under judgement. `path` is null for the bare base; `engine_model` is the name it is served under.

    `identity` hashes the base and the adapter's files: what it said is kept under it, where answers are kept.
    """

    name: str
    path: str | None = None
    engine_model: str | None = None
    identity: str | None = None


class SamplingChoice(Frozen):
    """How answers are drawn. Temperature 0 is greedy; `max_tokens` null leaves the limit to the engine."""

    max_tokens: int | None = Field(None, ge=1)
    temperature: float = Field(0.0, ge=0)


class Screen(Frozen):
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
    `yardstick` (`learners.yardsticks`) is the validator's when the job was written; its scores are kept under that.
    """

    kind: Literal["evaluate"] = "evaluate"
    engine: EngineAddress
    candidate: Contender
    champion: Contender
    validator: ValidatorChoice | None = None
    yardstick: str | None = None
    sampling: SamplingChoice = SamplingChoice()
    similarity: SimilaritySettings = SimilaritySettings()
    screen: Screen | None = None
    kept_answers: str | None = None
    embeddings: Embeddings = Embeddings()
    judge: dict[str, Any] | None = None


class Knob(Frozen):
    """One setting that a search turns, from `low` to `high`; `log`: evenly by ratio."""

    name: str
    low: float
    high: float
    log: bool = False
    configured: float


class StudyPlace(Frozen):
    """Where Optuna's journal is, and what the study is called in it."""

    path: str
    name: str


class Comparison(Frozen):
    """Settings against those in force, trained once each under every seed."""

    settings: dict[str, float]
    against: dict[str, float | Literal["auto"]]
    seeds: tuple[int, ...] = Field(min_length=1)


class SearchJob(Terms):
    """Try settings of `method` in short trainings on rows.jsonl, scored on dev.jsonl; it belongs to no update.

    Rows marked `replay` are drawn from by the share that a trial wants. A trial's value is lower where it did better:
    nats a token on the dev rows, or one minus the mean score by `validator`. With `comparison`, no trials are run: each
    seed trains both settings, and what earlier attempts finished is not run again.

    `in_force` are the settings that updates use now; where they say so many `steps`, or `auto`, that is what they are
    compared by. `start_from` says the same in terms of the knobs: the first trial.
    """

    kind: Literal["search"] = "search"
    update_id: int = 0
    method: str
    settings: dict[str, Any] = {}
    study: StudyPlace
    knobs: tuple[Knob, ...] = Field(min_length=1)
    start_from: dict[str, float] = {}
    in_force: dict[str, float | Literal["auto"]] = {}
    trials: int = Field(ge=0)
    wanted: int = Field(ge=1)
    comparison: Comparison | None = None
    sampling: SamplingChoice = SamplingChoice()
