"""The gate: promote a candidate, hold it until there is more evidence, or reject it. Pure.

A verdict reads one primary (a validator's score of generated answers, or the likelihood of what humans wrote or chose),
on prompts that training never saw, both adapters on the same prompts. A prompt is one piece of evidence, however often
it was asked (`prompts`). It promotes only what it is sure of
(`statistics.promotion_level`), rejects what is proven worse or harmed by a guard (`guards`), and holds the rest.

Not here: which prompts are read, when jobs run, what happens to adapters afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from storage.records import Look

from .evidence import Answer, GateRow, GateSettings, Judgement, Primary, check_rows
from .guards import Guard, read_guards
from .measures import report_measures
from .noninferiority import Kept, read_kept
from .pairs import read_pairs
from .preferences import PREFERRED, preference_worth, preferred_by
from .prompts import by_prompt, one_row_each, one_value_each
from .shares import cap_shares
from .statistics import Floats, Paired, Proof, bootstrap_bound, detectable_gain, is_worse, prove, spend

GROWTH = 1.5  # a held candidate is looked at again when its gate has grown by half
MIN_EFFECTIVE = 8  # weighted rows that say less than this many equal ones decide nothing


@dataclass(frozen=True, slots=True)
class Wait:
    """Whether a look is due: `have` of `need` prompts, "61 of 90 prompts"."""

    due: bool
    have: int
    need: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Reading:
    """The primary over the rows that have it, and over their different prompts; scores in [0, 1].

    `prompts` and `pairs` have one entry a prompt, `rows` one an entry of the gate.
    """

    primary: Primary
    rows: tuple[GateRow, ...]
    prompts: tuple[GateRow, ...]
    pairs: Paired
    champion_score: float
    candidate_score: float


def wait_for(
    prompts: int, earlier_looks: Sequence[Look], settings: GateSettings, tried_with: int | None = None
) -> Wait:
    """Whether a candidate is to be looked at now, with so many different `prompts` in its gate: asked before a job is
    spent.

    They are those the primary can be read on (for nll: with a human text), also beyond what one look reads; a look's
    `prompts` are those of its time. `tried_with`: how many there were when a judging found too little to read in them.
    """
    need = settings.min_prompts if tried_with is None else max(settings.min_prompts, tried_with + 1)
    if earlier_looks:
        need = max(need, math.ceil(GROWTH * earlier_looks[-1].prompts))
    return Wait(due=prompts >= need, have=prompts, need=need, reason=f"{prompts} of {need} different prompts")


def judge(
    rows: Sequence[GateRow],
    earlier_looks: Sequence[Look],
    settings: GateSettings,
    seed: int,
    *,
    max_share_per_user: float = 1.0,
    human_texts: Sequence[str] = (),
    entries: int | None = None,
    kl: float | None = None,
    screened: bool | None = None,
) -> Judgement:
    """The verdict on these rows, as look number `len(earlier_looks) + 1`.

    `human_texts` are the targets of train and dev, for the guards; `max_share_per_user` caps what one user's rows can
    weigh; `seed` serves the collapse guards' bootstrap alone; `entries` is how many different prompts the gate holds
    where it holds more than these rows; `kl` is how far training moved the candidate. `screened` is None where there
    was no screen, False where it was passed, True where the candidate was clearly worse on it: then these rows are the
    screen.
    Raises EvidenceError for NaN and numbers out of range.
    """
    if not settings.enabled:
        return Judgement(
            "promote", "the gate is off (gate.enabled: false): promoted unseen", None, 0, entries or 0, False
        )
    check_rows(rows)
    asked = [row for row in rows if row.part == "gate"]
    reading = _read(asked, settings, max_share_per_user)
    if screened:
        return _failed_screen(reading, settings, max(entries or 0, reading.pairs.count))
    if (short := _too_little(reading, asked, settings)) is not None:
        entries = max(entries or 0, short.entries)
        return replace(short, entries=entries, next_prompts=max(settings.min_prompts, entries + 1))
    look = len(earlier_looks) + 1
    budget = settings.alpha * spend(look, settings.looks)
    guards = read_guards(reading.prompts, human_texts, settings, budget, seed, kl)
    kept = _read_kept(rows, settings)
    entries = max(entries or 0, reading.pairs.count)
    return _verdict(reading, asked, guards, kept, look, settings, entries, screened is not None)


def clearly_worse(rows: Sequence[GateRow], settings: GateSettings, max_share_per_user: float, level: float) -> bool:
    """Whether a screen of these rows proves, at error `level`, that the candidate is worse: no more need be asked."""
    check_rows(rows)
    pairs = _read(rows, settings, max_share_per_user).pairs
    return pairs.count >= MIN_EFFECTIVE and pairs.effective >= MIN_EFFECTIVE and is_worse(pairs, by=0.0, level=level)


def _read(rows: Sequence[GateRow], settings: GateSettings, max_share: float) -> _Reading:
    primary = _primary(rows, settings)
    kept = [
        row
        for row in rows
        if row.weight > 0 and None not in (_worth(row, row.candidate, primary), _worth(row, row.champion, primary))
    ]
    weights = cap_shares([row.weight for row in kept], [row.user for row in kept], max_share)
    kept = [replace(row, weight=weight) for row, weight in zip(kept, weights, strict=True)]
    candidate = np.array([_worth(row, row.candidate, primary) for row in kept], dtype=np.float64)
    champion = np.array([_worth(row, row.champion, primary) for row in kept], dtype=np.float64)
    means = [float(np.average(side, weights=weights)) if kept else 0.0 for side in (champion, candidate)]
    prompts, places = one_row_each(kept), by_prompt(kept)
    differences = one_value_each(places, candidate - champion, np.array(weights, dtype=np.float64))
    pairs = Paired(differences, np.array([prompt.weight for prompt in prompts], dtype=np.float64))
    return _Reading(primary, tuple(kept), tuple(prompts), pairs, *means)


def _primary(rows: Sequence[GateRow], settings: GateSettings) -> Primary:
    """`nll_chosen` where people only compared and no head could be made of it: it is said, because a chosen text may be
    far from what they would write."""
    scored = any(row.candidate.score is not None and row.champion.score is not None for row in rows)
    if settings.primary == "validator" or (settings.primary == "auto" and scored):
        return "validator"
    if settings.primary in PREFERRED:
        return settings.primary
    if settings.primary == "auto" and (who := preferred_by(rows)) is not None:
        return who
    written = any(row.target is not None for row in rows)
    compared = any(row.chosen is not None for row in rows)
    return "nll_chosen" if compared and not written else "nll"


def _worth(row: GateRow, answer: Answer, primary: Primary) -> float | None:
    """The validator's score, or exp(-NLL per token): the geometric mean probability of the human text's tokens.

    As a probability it is a score in [0, 1] like every other, and a target that neither adapter could ever say (spite,
    noise) weighs next to nothing, where in nats it would outweigh twenty honest ones.
    """
    if primary == "validator":
        return answer.score
    if primary in PREFERRED:
        return preference_worth(row, answer, primary)
    nll = _nll(row, answer)
    return None if nll is None else math.exp(-nll)


def _nll(row: GateRow, answer: Answer) -> float | None:
    """In nats per token, of what a human wrote there, else of what one chose."""
    if row.target is not None or answer.chosen is None:
        return answer.nll_per_token
    return answer.chosen.nll_per_token


def _failed_screen(reading: _Reading, settings: GateSettings, entries: int) -> Judgement:
    proof = prove(reading.pairs, settings.alpha, 1, settings.looks)
    report = _report(reading, (), (), 1, proof) | {"screened": True}
    words = f"clearly worse than the champion on a screen: {_said(reading)}; the other prompts were not asked"
    return replace(_base(reading, report, entries), verdict="reject", reason=words)


def _read_kept(rows: Sequence[GateRow], settings: GateSettings) -> tuple[Kept, ...]:
    """The golden file by how alike the answers are to the targets, retention by how likely the targets are."""
    found = (
        _kept("golden", [_both(row, "similarity") for row in _part(rows, "golden")], settings.golden_margin),
        _kept("retention", [_both_likely(row) for row in _part(rows, "retention")], settings.retention_margin),
    )
    return tuple(kept for kept in found if kept is not None)


def _part(rows: Sequence[GateRow], part: str) -> list[GateRow]:
    return one_row_each([row for row in rows if row.part == part])


def _kept(name: str, worths: Sequence[tuple[float | None, float | None]], margin: float) -> Kept | None:
    sides: Floats = np.array([(a, b) for a, b in worths if a is not None and b is not None], dtype=np.float64)
    if not len(sides):
        return None
    pairs = Paired(sides[:, 0] - sides[:, 1], np.ones(len(sides)))
    return read_kept(name, pairs, float(sides[:, 1].mean()), float(sides[:, 0].mean()), margin)


def _both(row: GateRow, measure: str) -> tuple[float | None, float | None]:
    return row.candidate.measures.get(measure), row.champion.measures.get(measure)


def _both_likely(row: GateRow) -> tuple[float | None, float | None]:
    return _worth(row, row.candidate, "nll"), _worth(row, row.champion, "nll")


_UNITS = {
    "validator": "different prompts with a validator's score",
    "judge": "different prompts whose answers the judge compared",
    "win_rate": "different prompts whose answers the win-rate head compared",
    "nll": "different prompts with a human text",
    "nll_chosen": "different prompts with a chosen answer",
}


def _too_little(reading: _Reading, asked: Sequence[GateRow], settings: GateSettings) -> Judgement | None:
    """A hold that spends no look, where there is too little to read."""
    count, effective, need = reading.pairs.count, reading.pairs.effective, settings.min_prompts
    if count >= need and effective >= MIN_EFFECTIVE:
        return None
    reason = f"{count} of {need} {_UNITS[reading.primary]}"
    if count >= need:
        reason = f"{count} prompts weigh as much as {effective:.1f} after decay and caps, {MIN_EFFECTIVE} are needed"
    elif (lacking := len(by_prompt(asked)) - count) > 0:
        reason += f" ({lacking} more lack it or have no weight left)"
    elif len(reading.rows) > count:
        reason += f" (asked {len(reading.rows)} times)"
    return Judgement("hold", reason, reading.primary, count, count, False)


def _verdict(
    reading: _Reading,
    rows: Sequence[GateRow],
    guards: Sequence[Guard],
    kept: Sequence[Kept],
    look: int,
    settings: GateSettings,
    entries: int,
    screened: bool,
) -> Judgement:
    proof = prove(reading.pairs, settings.alpha, look, settings.looks, screened=screened)
    harmed, lost = [guard for guard in guards if guard.harmed], [one for one in kept if not one.passed]
    report = _report(reading, guards, kept, look, proof)
    if (pairs := read_pairs(rows)) is not None:
        report["pair_accuracy"] = pairs
    base = _base(reading, report, entries)
    if harmed:
        return replace(base, verdict="reject", reason=f"guard: {harmed[0].words}; {_said(reading)}")
    if proof.worse:
        return replace(base, verdict="reject", reason=f"worse than the champion: {_said(reading)}")
    if lost:
        return replace(base, verdict="reject", reason=f"{lost[0].words}; {_said(reading)}")
    if proof.better:
        return replace(base, verdict="promote", reason=f"better than the champion: {_said(reading)}")
    return _held(base, reading, look, settings, report["detectable_gain"])


def _base(reading: _Reading, report: dict[str, Any], entries: int) -> Judgement:
    return Judgement(
        verdict="hold",
        reason="",
        primary=reading.primary,
        prompts=reading.pairs.count,
        entries=entries,
        spent_look=True,
        difference=reading.pairs.mean,
        interval=_interval(reading.pairs),
        champion_score=reading.champion_score,
        candidate_score=reading.candidate_score,
        report=report,
    )


def _held(base: Judgement, reading: _Reading, look: int, settings: GateSettings, gain: float) -> Judgement:
    why = f"not enough evidence: {_said(reading)}; a gain of {100 * gain:.1f} points would show"
    if look >= settings.looks:
        return replace(base, reason=f"expired after {look} looks, {why}", expires=True)
    need = math.ceil(GROWTH * base.entries)
    return replace(base, reason=f"{base.entries} of {need} different prompts, {why}", next_prompts=need)


def _said(reading: _Reading) -> str:
    """The scores in points of 100, and what they are scores of."""
    scores = f"{100 * reading.champion_score:.1f} -> {100 * reading.candidate_score:.1f} of 100"
    if reading.primary == "validator":
        return f"validator {scores} on {reading.pairs.count} prompts"
    if reading.primary in PREFERRED:
        by = "the judge" if reading.primary == "judge" else "the win-rate head"
        return f"preferred by {by}: {scores} on {reading.pairs.count} prompts"
    before, after = (_mean_nll(reading, side) for side in ("champion", "candidate"))
    return (
        f"likelihood of {_whose_texts(reading)} {scores} (nll {before:.2f} -> {after:.2f} per token) "
        f"on {reading.pairs.count} prompts"
    )


def _whose_texts(reading: _Reading) -> str:
    written = sum(row.target is not None for row in reading.rows)
    if reading.primary == "nll_chosen":
        return "chosen answers"
    if written == len(reading.rows):
        return "human targets"
    return f"{written} human targets and {len(reading.rows) - written} chosen answers"


def _mean_nll(reading: _Reading, side: str) -> float:
    values = [_nll(row, getattr(row, side)) or 0.0 for row in reading.rows]
    return float(np.average(values, weights=[row.weight for row in reading.rows]))


def _interval(pairs: Paired) -> tuple[float, float]:
    return bootstrap_bound(pairs, 0.025), bootstrap_bound(pairs, 0.975)


def _report(
    reading: _Reading, guards: Sequence[Guard], kept: Sequence[Kept], look: int, proof: Proof
) -> dict[str, Any]:
    """Numbers for `updates show` and the manifest; no text of any user."""
    report: dict[str, Any] = {
        "look": look,
        "prompts": reading.pairs.count,
        "effective_prompts": round(reading.pairs.effective, 1),
        "standard_error": reading.pairs.standard_error,
        "bootstrap_tail": proof.tail,
        "alpha_of_look": proof.level,
        "detectable_gain": detectable_gain(reading.pairs.cautious(), proof.level),
        "guards": [asdict(guard) for guard in guards],
        "kept": [asdict(one) for one in kept],
        "measures": report_measures(reading.prompts),
    }
    if reading.primary in ("nll", "nll_chosen"):
        report["nll_per_token"] = {side: _mean_nll(reading, side) for side in ("champion", "candidate")}
    return report
