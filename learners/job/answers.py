"""What an evaluate job asks both contenders, and what they say."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from learners.job.frozen import Frozen
from storage.records import Message


class Compared(Frozen):
    """Two texts of which a human chose one."""

    chosen: str
    rejected: str


class TrainPair(Frozen):
    """One line of pairs.jsonl: two answers to one prompt of the train fold, of which a human chose one."""

    prompt: str
    chosen: str
    rejected: str
    weight: float = Field(1.0, ge=0)


Part = Literal["gate", "golden", "retention"]


class Prompt(Frozen):
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


class Likelihood(Frozen):
    """How likely a contender holds a text: `nll` is the sum over its `tokens`, in nats."""

    nll: float
    tokens: int = Field(ge=1)


class Measures(Frozen):
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


class JudgedAnswer(Frozen):
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


class AnswerPair(Frozen):
    """Both contenders on one prompt. `target_generic`: whether the human's own text would fit any prompt. `preferred`,
    by `judge` or `win_rate`, is 1 for the candidate's answer, 0 for the champion's, 0.5 for a tie. `prompt` is the key
    of what was asked, the same for equal prompts.
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
    prompt: str | None = None
