"""Guards: what must not get worse while the primary gets better. Length, collapse, generic content, KL, sub-checks.

Why they need proof: six guards that each must prove themselves harmless at 60 prompts let 1 % of equal candidates
through. So a guard rejects on evidence of harm alone: the bound of its bootstrap, not its estimate, must lie beyond
the stated threshold. Answers are measured against the texts that humans wrote where there are ten or more, else
against the champion's answers; sub-checks always against the champion's. KL is one number of the training, not a mean
over prompts: it has no bound, its limit is plain.

Limits: text written without spaces shows no collapse here (`words`). What generic content cannot see is in `generic`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from .evidence import Answer, GateRow, GateSettings
from .statistics import Floats, Paired, is_worse
from .words import count_words, likeness, vocabulary

MIN_HUMAN_TEXTS = 10
MAX_HUMAN_TEXTS = 500  # the rows' own first, then those given, in their order
MIN_CHECKED_ROWS = 10
_DRAWS = 200
_CLEARLY_FARTHER = math.log(1.1)  # a tenth farther from the reference than the champion
_MOST_GENERIC = 0.5  # where more than this share of the humans' own texts is generic, the measure does not fit the task
_CUT = "length"  # the finish reason of an answer that ran into the token limit


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard's reading: `value` beside `reference` in the guard's own unit, harm where its bound passes `limit`."""

    name: str
    value: float
    reference: float
    limit: float
    against: str
    harmed: bool
    words: str


def read_guards(
    rows: Sequence[GateRow],
    human_texts: Sequence[str],
    settings: GateSettings,
    budget: float,
    seed: int,
    kl: float | None = None,
) -> tuple[Guard, ...]:
    """All guards that have something to read; together they call harm where there is none in at most `budget`.

    `kl` is how far training moved the candidate from where it began, in nats per token, where that is known.
    """
    if not rows:
        return ()
    checks, generic = _checks_of(rows), _generic_of(rows)
    level = budget / (3 + (generic is not None) + len(checks))
    against, reference = _reference(rows, human_texts)
    candidate, champion = [r.candidate.text for r in rows], [r.champion.text for r in rows]
    found = [_length(candidate, champion, reference, against, settings.length_ratio, level)]
    found += _collapse(candidate, reference, against, settings, level, seed)
    found += [_generic_guard(*generic, settings.generic_rise, level)] if generic is not None else []
    found += [_sub_check(name, pairs, settings.sub_check_drop, level) for name, pairs in checks.items()]
    found += [_kl_guard(kl, settings.max_kl)] if kl is not None else []
    return tuple(found)


def _reference(rows: Sequence[GateRow], human_texts: Sequence[str]) -> tuple[str, list[str]]:
    human = [*(row.target for row in rows if row.target), *human_texts]
    if len(human) >= MIN_HUMAN_TEXTS:
        return "human targets", human[:MAX_HUMAN_TEXTS]
    return "champion", [row.champion.text for row in rows]


def _length(
    candidate: Sequence[str],
    champion: Sequence[str],
    reference: Sequence[str],
    against: str,
    ratio: float,
    level: float,
) -> Guard:
    """Ratio of geometric mean lengths in characters; no harm unless clearly farther off than the champion is."""
    lengths, before, expected = _log_lengths(candidate), _log_lengths(champion), _log_lengths(reference)
    shift = float(lengths.mean() - expected.mean())
    direction, z = math.copysign(1.0, shift), _quantile(level)
    error = math.sqrt(float(lengths.var(ddof=1)) / len(lengths) + float(expected.var(ddof=1)) / len(expected))
    farther = direction * (lengths - before)
    sure_farther = float(farther.mean()) - z * float(farther.std(ddof=1)) / math.sqrt(len(farther))
    value = math.exp(shift)
    return Guard(
        name="length",
        value=value,
        reference=1.0,
        limit=ratio if shift > 0 else 1 / ratio,
        against=against,
        harmed=abs(shift) - z * error > math.log(ratio) and sure_farther > _CLEARLY_FARTHER,
        words=f"answers are {value:.2f} times as long as those of the {against}",
    )


def _log_lengths(texts: Sequence[str]) -> Floats:
    return np.log1p(np.array([len(text) for text in texts], dtype=np.float64))


def _collapse(
    candidate: Sequence[str],
    reference: Sequence[str],
    against: str,
    settings: GateSettings,
    level: float,
    seed: int,
) -> list[Guard]:
    """Both signs of collapse, each with the spread of its bootstrap over whole answers."""
    words = vocabulary([*candidate, *reference])
    said, expected = count_words(candidate, words), count_words(reference, words)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(said), np.full(len(said), 1 / len(said)), size=_DRAWS)
    of_reference = random.multinomial(len(said), np.full(len(expected), 1 / len(expected)), size=_DRAWS)

    def both(measure: Callable[[Floats, Floats], Floats]) -> tuple[Floats, Floats]:
        return measure(said, drawn.astype(np.float64)), measure(expected, of_reference.astype(np.float64))

    z = _quantile(level)
    return [
        _entropy_guard(*both(_entropies), settings.collapse_entropy, against, z),
        _similarity_guard(*both(_self_similarities), settings.collapse_similarity, against, z),
    ]


def _entropy_guard(values: Floats, references: Floats, share: float, against: str, z: float) -> Guard:
    value, reference = float(values.mean()), float(references.mean())
    gap = values - share * references
    return Guard(
        name="entropy",
        value=value,
        reference=reference,
        limit=share * reference,
        against=against,
        harmed=float(gap.mean() + z * gap.std()) < 0,
        words=f"entropy of the words said is {value:.2f} bits, {reference:.2f} for the {against}",
    )


def _similarity_guard(values: Floats, references: Floats, limit: float, against: str, z: float) -> Guard:
    """The limit, or half-way from the reference to identical answers where the reference itself is much alike."""
    value, reference = float(values.mean()), float(references.mean())
    limits = np.maximum(limit, (1 + references) / 2)
    gap = values - limits
    return Guard(
        name="self-similarity",
        value=value,
        reference=reference,
        limit=float(limits.mean()),
        against=against,
        harmed=float(gap.mean() - z * gap.std()) > 0,
        words=f"answers to different prompts are {value:.2f} alike, {reference:.2f} for the {against}",
    )


def _entropies(counts: Floats, drawn: Floats) -> Floats:
    """Entropy in bits of the words of all drawn answers together; one number per draw."""
    totals = drawn @ counts
    shares = totals / np.maximum(totals.sum(axis=1, keepdims=True), 1)
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(-(shares * logs).sum(axis=1))


def _self_similarities(counts: Floats, drawn: Floats) -> Floats:
    """Mean cosine of the word counts of two different answers, one number per draw; two empty answers are alike."""
    alike = likeness(counts)
    pairs = drawn.sum(axis=1) ** 2 - (drawn**2).sum(axis=1)
    return np.asarray(((drawn @ alike) * drawn).sum(axis=1) / np.maximum(pairs, 1))


def _checks_of(rows: Sequence[GateRow]) -> dict[str, Paired]:
    """Candidate minus champion of each sub-check, and of not running into the token limit, in the rows that have it."""
    named = [(_with_finish(row.candidate), _with_finish(row.champion), row.weight) for row in rows]
    names = sorted({name for candidate, champion, _ in named for name in candidate if name in champion})
    found = {}
    for name in names:
        pairs = [(float(a[name]) - float(b[name]), w) for a, b, w in named if name in a and name in b]
        if len(pairs) >= MIN_CHECKED_ROWS:
            found[name] = Paired(np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs]))
    return found


def _with_finish(answer: Answer) -> dict[str, bool]:
    checks = dict(answer.checks)
    if answer.finish_reason is not None:
        checks["finished"] = answer.finish_reason != _CUT
    return checks


def _sub_check(name: str, pairs: Paired, drop: float, level: float) -> Guard:
    return Guard(
        name=f"sub-check {name}",
        value=pairs.mean,
        reference=0.0,
        limit=-drop,
        against="champion",
        harmed=is_worse(pairs, by=drop, level=level),
        words=f"sub-check {name} passes {abs(pairs.mean):.0%} {'less' if pairs.mean < 0 else 'more'} often",
    )


def _generic_of(rows: Sequence[GateRow]) -> tuple[Paired, float, Paired | None, float] | None:
    """Of generic answers, where it can be told and fits the task: candidate minus champion, the champion's rate,
    candidate minus humans where ten or more wrote, and the humans' rate."""
    told = [row for row in rows if "generic" in row.candidate.measures and "generic" in row.champion.measures]
    if len(told) < MIN_CHECKED_ROWS:
        return None
    own = np.array([row.candidate.measures["generic"] for row in told])
    before = np.array([row.champion.measures["generic"] for row in told])
    weights = np.array([row.weight for row in told])
    champion = float(np.average(before, weights=weights))
    wrote = np.array([row.target_generic is not None for row in told])
    if wrote.sum() < MIN_CHECKED_ROWS:
        return Paired(own - before, weights), champion, None, 0.0
    human = np.array([float(bool(row.target_generic)) for row in told])[wrote]
    rate = float(np.average(human, weights=weights[wrote]))
    beside = Paired(own[wrote] - human, weights[wrote])
    return (Paired(own - before, weights), champion, beside, rate) if rate <= _MOST_GENERIC else None


def _generic_guard(
    pairs: Paired, champion: float, beside: Paired | None, human: float, rise: float, level: float
) -> Guard:
    """Harm is more than of the champion's *and* of the humans' own: to become like them is none."""
    value = champion + pairs.mean
    harmed = is_worse(pairs.flipped(), by=rise, level=level)
    if beside is not None:
        harmed = harmed and is_worse(beside.flipped(), by=rise, level=level)
    return Guard(
        name="generic",
        value=value,
        reference=champion,
        limit=max(champion, human) + rise,
        against="champion" if beside is None else "champion and human targets",
        harmed=harmed,
        words=f"{value:.0%} of the answers would fit any prompt, {champion:.0%} of the champion's"
        + (f", {human:.0%} of the human targets" if beside is not None else ""),
    )


def _kl_guard(kl: float, limit: float) -> Guard:
    return Guard(
        name="kl",
        value=kl,
        reference=0.0,
        limit=limit,
        against="where training began",
        harmed=not kl <= limit,  # NaN too
        words=f"training moved it by {kl:.2f} nats per token",
    )


def _quantile(level: float) -> float:
    return -NormalDist().inv_cdf(level)
