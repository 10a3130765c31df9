"""What the gate is given and what it answers: settings, rows of evidence, the judgement.

Plain data. The rows are made by the daemon from an evaluate job's answers; nothing here reads files or knows adapters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from learners.errors import LearnerError
from learners.pairwise.judge import JudgeSettings
from storage.records import Verdict
from storage.records.settings import Settings, setting

Primary = Literal["validator", "judge", "win_rate", "nll", "nll_chosen"]


def _off(value: Any) -> Any:
    """To some YAML readers `off` is false."""
    return "off" if value is False else value


class GateSettings(Settings):
    """`gate:` in adaptd.yaml."""

    enabled: bool = setting(True, doc="Judge candidates; when false every trained candidate is promoted unseen.")
    primary: Literal["auto", "validator", "judge", "win_rate", "nll"] = setting(
        "auto",
        doc="What decides: the validator's score of generated answers; a judge's choice between them; the share that "
        "people would prefer by a head learned from the task's pairs (win_rate); or how likely the adapter finds the "
        "texts that humans wrote or, where they only compared, chose (nll). auto takes the first of these that there "
        "is.",
    )
    judge: JudgeSettings | None = setting(None, doc="Another model that compares two answers; null asks nobody.")
    alpha: float = setting(
        0.05,
        doc="Upper bound, over all looks, on promoting a candidate that equals the champion.",
        unit="probability",
        gt=0,
        le=0.2,
    )
    looks: int = setting(3, doc="How often a held candidate is judged before it expires.", unit="looks", ge=1, le=3)
    min_prompts: int = setting(
        20,
        doc="Different prompts (for nll: with a human text) below which the verdict is hold. The same prompt asked "
        "again is no other.",
        unit="prompts",
        ge=10,
    )
    length_ratio: float = setting(
        2.0,
        doc="Guard: answers this many times as long as the reference, or as short, are harm.",
        unit="ratio",
        gt=1,
    )
    collapse_entropy: float = setting(
        0.6,
        doc="Guard: entropy of the words of all answers below this share of the reference's is harm.",
        unit="ratio",
        gt=0,
        lt=1,
    )
    collapse_similarity: float = setting(
        0.85,
        doc="Guard: answers to different prompts that are more alike than this, in [0, 1], are harm.",
        unit="similarity",
        gt=0,
        lt=1,
    )
    sub_check_drop: float = setting(
        0.05, doc="Guard: a sub-check whose pass rate falls by more than this is harm.", unit="share", ge=0, lt=1
    )
    generic_rise: float = setting(
        0.05,
        doc="Guard: answers that would fit any prompt are harm where there are more of them, by more than this, than "
        "of the champion's and of the humans' own.",
        unit="share",
        ge=0,
        lt=1,
    )
    max_kl: float = setting(
        8.0,
        doc="Guard: training that moved the adapter farther than this from where it began is harm. The small base of "
        "the example moves by 2 to 3.5 in good updates, models of a billion parameters by far less: set it to about "
        "twice what `adaptd updates show` says of yours.",
        unit="nats per token",
        gt=0,
    )
    golden: Path | None = setting(
        None,
        doc="JSON lines of `prompt` (or `messages`) and `target` on which no candidate may be worse: how alike its "
        "answers are to the targets is compared with the champion's.",
    )
    golden_margin: float = setting(
        0.05, doc="The loss of similarity on the golden file that is let pass.", unit="similarity", gt=0, lt=1
    )
    retention: Annotated[Literal["general", "off"] | Path, BeforeValidator(_off)] = setting(
        "general",
        doc="Prompts outside of the task, on which no candidate may be worse: `general` is the list that comes with "
        "adaptd, or JSON lines as of `golden`. How likely the adapter finds the targets is compared with the champion.",
    )
    retention_margin: float = setting(
        0.05,
        doc="The loss of likelihood, exp(-NLL per token), on the retention set that is let pass.",
        unit="probability",
        gt=0,
        lt=1,
    )
    screen: int = setting(
        30,
        doc="Prompts that a new candidate answers first; one that is clearly worse on them is rejected without the "
        "others. Used where the gate reads twice as many or more; 0 asks everything at once.",
        unit="prompts",
        ge=0,
    )

    @model_validator(mode="after")
    def _has_its_judge(self) -> Self:
        if self.primary == "judge" and self.judge is None:
            raise ValueError("primary: judge needs `judge: {url: ..., model: ...}`")
        return self


class EvidenceError(LearnerError):
    """A row holds a number that no honest evaluation gives, such as NaN; the judgement is not made.

    To do: look at the update's answers (`answers.jsonl` in its job directory); a model that answers with NaN is
    broken.

    Shows as: a line in the daemon's log, while it lasts.
    """


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely an adapter holds a text: `nll` is the sum over its `tokens`, in nats."""

    nll: float
    tokens: int

    @property
    def nll_per_token(self) -> float:
        return self.nll / self.tokens


@dataclass(frozen=True, slots=True)
class Answer:
    """What one adapter said to one prompt.

    `score` in [0, 1] and `checks` are the validator's; `nll_per_token` is the negative log-likelihood, in nats per
    token, of the row's human target under this adapter; `tokens` counts the generated answer. `chosen` and `rejected`
    are the texts that a human compared. `measures` are all other numbers, by name (`measures`).
    """

    text: str
    score: float | None = None
    checks: Mapping[str, bool] = field(default_factory=dict)
    nll_per_token: float | None = None
    tokens: int | None = None
    finish_reason: str | None = None
    chosen: Likelihood | None = None
    rejected: Likelihood | None = None
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GateRow:
    """One held-out prompt under both adapters; `weight` >= 0 is its decay, `user` any stable pseudonym or number.

    `target` is what a human wrote; `chosen` and `rejected` are what a human compared. Rows of the golden file and of
    the retention set say so in `part`. `target_generic`: whether the target would fit any prompt. `preferred` says, by
    `judge` or `win_rate`, whether the candidate's answer is preferred: 1, 0, or 0.5 for a tie. `prompt` is the same for
    rows that ask the same, which are one piece of evidence; a row without it stands for a prompt of its own.
    """

    id: str
    weight: float
    candidate: Answer
    champion: Answer
    target: str | None = None
    user: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    part: Literal["gate", "golden", "retention"] = "gate"
    target_generic: bool | None = None
    preferred: Mapping[str, float] = field(default_factory=dict)
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One look's answer.

    Scores, `difference` (candidate minus champion) and `interval` (95 %) are in [0, 1] and [-1, 1]. `spent_look` is
    false where nothing was read (too few prompts, gate off): such a judgement is not saved as a look. `expires`: the
    verdict is hold and no look is left. `prompts` different ones were read, of `entries` that the gate held (more,
    where reading is capped); save `entries` in the look, since growth counts from there. The next look waits for
    `next_prompts` entries.
    """

    verdict: Verdict
    reason: str
    primary: Primary | None
    prompts: int
    entries: int
    spent_look: bool
    expires: bool = False
    next_prompts: int | None = None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    champion_score: float | None = None
    candidate_score: float | None = None
    report: dict[str, Any] = field(default_factory=dict)


def check_rows(rows: Sequence[GateRow]) -> None:
    """Raise EvidenceError for a weight, score or NLL that is not a finite number in its range."""
    for place, row in enumerate(rows):
        _check(row.weight, math.inf, f"row {place}: weight")
        for whose, answer in (("candidate", row.candidate), ("champion", row.champion)):
            _check(answer.score, 1.0, f"row {place}: {whose}'s score")
            _check(answer.nll_per_token, math.inf, f"row {place}: {whose}'s NLL per token")
            for name, number in answer.measures.items():
                _check(abs(number), math.inf, f"row {place}: {whose}'s {name}")  # of these, kl may be below 0
            for name, text in (("chosen", answer.chosen), ("rejected", answer.rejected)):
                _check(None if text is None else text.nll, math.inf, f"row {place}: {whose}'s NLL of the {name} text")


def _check(number: float | None, most: float, what: str) -> None:
    if number is None or (math.isfinite(number) and 0 <= number <= most):
        return
    allowed = "a number in [0, 1]" if most == 1.0 else "a number, 0 or more"
    raise EvidenceError(
        f"gate {what} is {number}, not {allowed}; nothing was judged. "
        "Look at the validator or the evaluate job that gave it, then let the update be judged again."
    )
