"""The win-rate head: from the pairs that people compared to which of two new answers they would prefer. Pure.

A Bradley-Terry model (Bradley and Terry, Biometrika 39, 1952): the logit that A is preferred to B is linear in the
difference of their features, which are the frozen embedding of prompt and answer together and the logarithm of the
answer's length; fitted by logistic regression with a ridge, each pair by its weight.

People often choose the longer text, so a head may know nothing else and still look good. So it is used only where it
beats length on prompts that it was not fitted on: over folds drawn by prompt, the 95 % bound (one-sided, bootstrap over
prompts) of its accuracy minus that of a head on length alone must be above 0, on at least `MIN_PAIRS` untied pairs of
`MIN_PROMPTS` prompts. The report has both accuracies either way.

Limits: it is fitted on the very pairs that a preference phase trains on, though never on the gate's; and what MiniLM
cannot see, such as whether a claim is true, it cannot judge. Figures on real text are in docs/preference.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.ngrams import Vectors

Floats = NDArray[np.float64]
Embed = Callable[[Sequence[str]], Vectors]

MIN_PAIRS = 100
MIN_PROMPTS = 10
FOLDS = 10
RIDGE = 10.0
DRAWS = 2000
LEVEL = 0.05
PROMPT_CHARS = 400  # so that a long prompt leaves room for the answer in the model's window
_STEPS = 25
_STILL = 1e-6


@dataclass(frozen=True, slots=True)
class Compared:
    """Two answers to one prompt, of which a human chose the first."""

    prompt: str
    chosen: str
    rejected: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class HeadReport:
    """How well it tells pairs of prompts that it was not fitted on; accuracies in [0, 1], ties counting half.

    `gain` is the head's accuracy minus that of length, `gain_bound` its one-sided 95 % bound. None: too few to say.
    """

    used: bool
    reason: str
    pairs: int
    prompts: int
    accuracy: float | None = None
    length_accuracy: float | None = None
    gain: float | None = None
    gain_bound: float | None = None

    def plain(self) -> dict[str, Any]:
        return asdict(self)


class Head:
    """A fitted head."""

    def __init__(self, coefficients: Floats, embed: Embed) -> None:
        self._coefficients, self._embed = coefficients, embed

    def preferences(self, prompts: Sequence[str], ones: Sequence[str], others: Sequence[str]) -> list[float]:
        """Per prompt 1.0 where the one answer is preferred to the other, 0.0 where not, 0.5 where they are equal."""
        if not prompts:
            return []
        features = _features([*prompts, *prompts], [*ones, *others], self._embed)
        margins = (features[: len(prompts)] - features[len(prompts) :]) @ self._coefficients
        equal = np.array([one == other for one, other in zip(ones, others, strict=True)])
        return [float(won) for won in np.where(equal, 0.5, _wins(margins))]


def learn_head(pairs: Sequence[Compared], embed: Embed, seed: int) -> tuple[Head | None, HeadReport]:
    """The head, where there are enough pairs and it knows more than length; and how well it does."""
    prompts = [pair.prompt for pair in pairs]
    if (short := _too_few(pairs)) is not None:
        return None, HeadReport(False, short, len(pairs), len(set(prompts)))
    differences = pair_differences(pairs, embed)
    weights = np.array([pair.weight for pair in pairs], dtype=np.float64)
    right, by_length = held_out(differences, weights, prompts, seed)
    report = _judged(right, by_length, weights, prompts, seed)
    return (Head(fit(differences, weights), embed) if report.used else None), report


def pair_differences(pairs: Sequence[Compared], embed: Embed) -> Floats:
    """Shape (pairs, dimensions + 1): features of the chosen text minus those of the rejected; the last is length."""
    prompts = [pair.prompt for pair in pairs]
    texts = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    features = _features([*prompts, *prompts], texts, embed)
    difference: Floats = features[: len(pairs)] - features[len(pairs) :]
    return difference


def held_out(differences: Floats, weights: Floats, groups: Sequence[str], seed: int) -> tuple[Floats, Floats]:
    """Per pair, 1 where the head, and where length alone, fitted on the pairs of other groups, tell it right."""
    folds = _folds(groups, seed)
    right, by_length = np.full(len(groups), 0.5), np.full(len(groups), 0.5)
    for fold in range(FOLDS):
        judged = folds == fold
        if judged.any() and not judged.all():
            rest = ~judged
            right[judged] = _wins(differences[judged] @ fit(differences[rest], weights[rest]))
            length = differences[:, -1:]
            by_length[judged] = _wins(length[judged] @ fit(length[rest], weights[rest]))
    return right, by_length


def fit(differences: Floats, weights: Floats) -> Floats:
    """Coefficients that minimise sum(weights * log(1 + exp(-differences @ b))) + RIDGE / 2 * |b|**2, by Newton's steps.

    Weights are taken relative to their mean.
    """
    relative = weights / max(float(weights.mean()), 1e-12)
    if len(differences) < differences.shape[1]:  # the ridge keeps the answer in the span of the rows: solve it there
        left, sizes, right = np.linalg.svd(differences, full_matrices=False)
        spanned: Floats = right.T @ fit(left * sizes, weights)
        return spanned
    found: Floats = np.zeros(differences.shape[1])
    ridge = RIDGE * np.eye(differences.shape[1])
    for _ in range(_STEPS):
        chosen = 1 / (1 + np.exp(-np.clip(differences @ found, -30, 30)))
        slope = differences.T @ (relative * (chosen - 1)) + RIDGE * found
        bend = (differences * (relative * chosen * (1 - chosen))[:, None]).T @ differences + ridge
        step = np.linalg.solve(bend, slope)
        found = found - step
        if float(np.abs(step).max()) < _STILL:
            break
    return found


def gain_bound(gains: Floats, weights: Floats, groups: Sequence[str], seed: int, level: float = LEVEL) -> float:
    """The lower bound, at one-sided `level`, of the weighted mean gain: a bootstrap over groups, since pairs of one
    prompt are not independent."""
    numbers = {group: at for at, group in enumerate(dict.fromkeys(groups))}
    of = np.array([numbers[group] for group in groups])
    sums = np.bincount(of, weights * gains, len(numbers))
    masses = np.bincount(of, weights, len(numbers))
    drawn = np.random.default_rng(seed).integers(0, len(numbers), (DRAWS, len(numbers)))
    return float(np.quantile(sums[drawn].sum(axis=1) / masses[drawn].sum(axis=1), level))


def _judged(right: Floats, by_length: Floats, weights: Floats, prompts: Sequence[str], seed: int) -> HeadReport:
    accuracy, length = (float(np.average(side, weights=weights)) for side in (right, by_length))
    bound = gain_bound(right - by_length, weights, prompts, seed)
    told = f"{100 * accuracy:.1f} % of held-out pairs against {100 * length:.1f} % by length alone"
    used = bound > 0
    reason = f"used: it tells {told}" if used else f"not used: {told} is no sure gain (bound {100 * bound:+.1f} points)"
    return HeadReport(used, reason, len(prompts), len(set(prompts)), accuracy, length, accuracy - length, bound)


def _too_few(pairs: Sequence[Compared]) -> str | None:
    prompts = len({pair.prompt for pair in pairs})
    if len(pairs) < MIN_PAIRS:
        return f"not used: {len(pairs)} of {MIN_PAIRS} pairs to learn from"
    return f"not used: pairs of {prompts} of {MIN_PROMPTS} prompts to learn from" if prompts < MIN_PROMPTS else None


def _features(prompts: Sequence[str], texts: Sequence[str], embed: Embed) -> Floats:
    wholes = [f"{prompt[:PROMPT_CHARS]}\n\n{text}" for prompt, text in zip(prompts, texts, strict=True)]
    different = {whole: at for at, whole in enumerate(dict.fromkeys(wholes))}
    vectors = embed(list(different))[[different[whole] for whole in wholes]]
    lengths = np.log1p([len(text) for text in texts])
    return np.hstack([vectors.astype(np.float64), lengths[:, None]])


def _folds(groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """All pairs of a group are in one fold; groups are dealt out in random order."""
    names = sorted(set(groups))
    order = np.random.default_rng(seed).permutation(len(names))
    fold = {names[place]: at % FOLDS for at, place in enumerate(order)}
    return np.array([fold[group] for group in groups], dtype=np.int64)


def _wins(margins: Floats) -> Floats:
    return np.where(margins == 0, 0.5, (margins > 0).astype(np.float64))
