"""Folds: which examples are learned from, which stop training early, and which are kept from it to judge it.

Drawn once per prompt (or user) by a keyed hash, so that the same prompt of two users never lies on both sides, nobody
without the secret can aim at a fold, and a replayed store draws the same. Pure: `storage.folds` keeps what was drawn.

Limits: only equal normalised prompts are told to be the same, near twins are not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from consumers.cleaning import prompt_key
from storage.records import Example, Fold, Message
from storage.records.settings import Settings, setting

FILLING_SHARE = 0.5  # of what is new goes to a gate that does not hold `min` yet

By = Literal["prompt", "user"]
ExampleKey = tuple[str, str]  # task, interaction_id


class HoldoutSettings(Settings):
    """`holdout:` in adaptd.yaml."""

    by: Literal["auto", "prompt", "user"] = setting(
        "auto", doc="What lies in one fold as a whole: equal prompts (auto means this), or all of a user.", live=False
    )
    share: float = setting(0.15, doc="Share that goes to the gate fold, once it holds min.", unit="share", ge=0, le=0.9)
    dev_share: float = setting(
        0.1, doc="Share of what is not in the gate fold that goes to the dev fold.", unit="share", ge=0, le=0.5
    )
    min: int = setting(
        60,
        doc="Until the gate fold holds so many different prompts (where the task has no validator: with feedback), "
        "half of what is new goes to it; with by: user, so many users.",
        unit="entries",
        ge=0,
    )
    cap: int = setting(
        200,
        doc="A judgement reads at most so many entries of the gate fold, the newest, those of other prompts first.",
        unit="entries",
        ge=20,
    )

    @property
    def split(self) -> By:
        """`by`, with auto resolved."""
        return "user" if self.by == "user" else "prompt"


class GateCount(Protocol):
    """How many entries the gate fold of a task holds."""

    @property
    def gate(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Drawn:
    """New draws by (task, key), and the fold of each example that has one by (task, interaction_id)."""

    drawn: Mapping[tuple[str, str], Fold]
    by_example: Mapping[ExampleKey, Fold]


def fold_key(messages: Sequence[Message], user_id: str | None, by: By) -> str | None:
    """What is drawn for: the normalised prompt, or the user (hashed, so that the fold table names nobody).

    Without a user the prompt stands in; None while neither is known, and nothing is drawn yet.
    """
    if by == "user" and user_id:
        return "user:" + hashlib.sha256(user_id.encode()).hexdigest()
    return "prompt:" + prompt_key(messages) if messages else None


def draw(secret: bytes, task: str, key: str, gate_entries: int, settings: HoldoutSettings) -> Fold:
    """The fold of a key that was never drawn before, while the gate fold holds `gate_entries`.

    blake2b keyed with the secret (RFC 7693) gives two numbers in [0, 1): gate or not, and if not, dev or train.
    """
    digest = hashlib.blake2b(f"{task}\0{key}".encode(), key=secret, digest_size=16).digest()
    first, second = (int.from_bytes(half, "big") / 2**64 for half in (digest[:8], digest[8:]))
    if first < (FILLING_SHARE if gate_entries < settings.min else settings.share):
        return "gate"
    return "dev" if second < settings.dev_share else "train"


def draw_many(
    secret: bytes, task: str, keys: Iterable[str], gate_entries: int, settings: HoldoutSettings
) -> dict[str, Fold]:
    """Each new key in its turn; those drawn before it count, so the order decides when the gate is full."""
    drawn: dict[str, Fold] = {}
    for key in keys:
        if key in drawn:
            continue
        drawn[key] = draw(secret, task, key, gate_entries, settings)
        gate_entries += drawn[key] == "gate"
    return drawn


def draw_folds(
    examples: Sequence[Example],
    *,
    holdout_of: Callable[[str], HoldoutSettings],
    has_validator: Callable[[str], bool],
    known: Callable[[str, Collection[str]], Mapping[str, Fold]],
    counts: Callable[[str], GateCount],
    secret: bytes,
) -> Drawn:
    """The folds of examples as intake saves them, in the order given; keys that `known` has keep theirs.

    Where a task has no validator, a prompt without feedback can judge nothing: it is not drawn until it gets some, so
    that everything in the gate fold counts towards `min`.
    """
    drawn: dict[tuple[str, str], Fold] = {}
    by_example: dict[ExampleKey, Fold] = {}
    for task in dict.fromkeys(example.task for example in examples):
        settings = holdout_of(task)
        mine = [example for example in examples if example.task == task]
        keys = {example.interaction_id: key for example in mine if (key := _key_of(example, settings))}
        before = known(task, list(dict.fromkeys(keys.values())))
        judging = has_validator(task)
        may = [keys[one.interaction_id] for one in mine if one.interaction_id in keys and (judging or one.labelled)]
        new = [key for key in dict.fromkeys(may) if key not in before]
        fresh = draw_many(secret, task, new, counts(task).gate, settings) if new else {}
        drawn |= {(task, key): fold for key, fold in fresh.items()}
        folds = {**fresh, **before}
        by_example |= {(task, one): folds[key] for one, key in keys.items() if key in folds}
    return Drawn(drawn, by_example)


def _key_of(example: Example, settings: HoldoutSettings) -> str | None:
    return fold_key(example.messages, example.user_id, settings.split)
