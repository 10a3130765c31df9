"""What is measured of every answer, and the means of both contenders: a report for people; it decides nothing. Pure.

| measure | of | unit |
| --- | --- | --- |
| score | the generated answer, by the validator | [0, 1] |
| similarity, edit, bleu, rouge_l, exact | the generated answer beside the human target | [0, 1] |
| generic | the generated answer: would it fit any prompt (`generic`) | 0 or 1 |
| self_similarity | the generated answer: mean cosine of its word counts with the answers to other prompts | [0, 1] |
| length, tokens | the generated answer | characters, tokens |
| nll_per_token, entropy | the human target under the adapter | nats |
| perplexity | exp of the mean nll_per_token | |
| kl | the candidate's own answer: log p(candidate) - log p(champion) | nats per token |

`exact` ignores white space at both ends. `kl` is the mean log-ratio along what the candidate says; were answers drawn
at random it would estimate KL(candidate || champion) without bias, of greedy ones it is the same quantity along the
likeliest path.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from consumers.cleaning import prompt_key
from consumers.similarity import SimilaritySettings, rouge_l, similarity
from learners.job import JudgedAnswer, Measures, Prompt

from .evidence import Answer, GateRow
from .generic import find_generic
from .statistics import Floats, Paired
from .words import count_words, likeness, vocabulary


def measure_answers(
    prompts: Sequence[Prompt], said: Sequence[JudgedAnswer], settings: SimilaritySettings, kl: Sequence[float | None]
) -> list[JudgedAnswer]:
    """One contender's answers with what is measured of them; all sequences have one entry an answer."""
    texts = [answer.text for answer in said]
    generic = find_generic([asked_text(prompt) for prompt in prompts], texts)
    alike = _self_similarity([prompt_key(prompt.messages) for prompt in prompts], texts)
    return [
        answer.model_copy(
            update={
                "measures": Measures(
                    **_beside_target(answer.text, prompt.target, settings),
                    generic=None if generic[at] is None else float(bool(generic[at])),
                    self_similarity=alike[at],
                    kl=kl[at],
                )
            }
        )
        for at, (prompt, answer) in enumerate(zip(prompts, said, strict=True))
    ]


def generic_targets(prompts: Sequence[Prompt]) -> list[bool | None]:
    """Of each prompt's human target, whether it would fit any of these prompts; None where there is none."""
    written = [at for at, prompt in enumerate(prompts) if prompt.target is not None]
    texts = [prompts[at].target or "" for at in written]
    found = dict(zip(written, find_generic([asked_text(prompts[at]) for at in written], texts), strict=True))
    return [found.get(at) for at in range(len(prompts))]


def asked_text(prompt: Prompt) -> str:
    """All that the user said, the turns in order."""
    return "\n".join(message.content for message in prompt.messages if message.role == "user")


def _beside_target(said: str, target: str | None, settings: SimilaritySettings) -> dict[str, float | None]:
    if target is None:
        return {}
    alike = similarity(said, target, settings)
    return {
        "similarity": alike.value,
        "edit": alike.edit,
        "bleu": alike.bleu,
        "rouge_l": rouge_l(said, target, settings.max_words),
        "exact": float(said.strip() == target.strip()),
    }


def _self_similarity(asked: Sequence[str], texts: Sequence[str]) -> list[float | None]:
    """With the answers to other prompts alone: that the same prompt gets the same answer again says nothing."""
    first: dict[str, str] = {}
    for key, text in zip(asked, texts, strict=True):
        first.setdefault(key, text)
    if len(first) < 2:
        return [None] * len(texts)
    said = list(first.values())
    alike = likeness(count_words(said, vocabulary(said))).sum(axis=1) / (len(said) - 1)
    means = dict(zip(first, alike, strict=True))
    return [min(1.0, float(means[key])) for key in asked]


def report_measures(rows: Sequence[GateRow]) -> dict[str, dict[str, Any]]:
    """By measure: weighted means of `champion`, `candidate`, their `difference` with its `error` (half of a 95 %
    interval), over the `prompts` in which both have it; of `kl`, the candidate's mean alone."""
    sides = [(_values_of(row.candidate), _values_of(row.champion), row.weight) for row in rows if row.weight > 0]
    names = list(dict.fromkeys(name for candidate, _, _ in sides for name in candidate))
    found = {name: _compare([(a[name], b[name], w) for a, b, w in sides if name in a and name in b]) for name in names}
    if "nll_per_token" in found:
        found["perplexity"] = _perplexity(found["nll_per_token"])
    if alone := [(a["kl"], w) for a, _, w in sides if "kl" in a]:
        values, weights = (np.array(each) for each in zip(*alone, strict=True))
        found["kl"] = {"candidate": float(np.average(values, weights=weights)), "prompts": len(alone)}
    return {name: one for name, one in found.items() if one}


def _compare(found: Sequence[tuple[float, float, float]]) -> dict[str, Any]:
    if not found:
        return {}
    candidate, champion, weights = (np.array(each, dtype=np.float64) for each in zip(*found, strict=True))
    pairs = Paired(candidate - champion, weights)
    error = 1.96 * pairs.standard_error
    return {
        "champion": _mean(champion, weights),
        "candidate": _mean(candidate, weights),
        "difference": pairs.mean,
        "error": error if math.isfinite(error) else None,
        "prompts": len(found),
    }


def _perplexity(nll: dict[str, Any]) -> dict[str, Any]:
    """Of the mean NLL, as it is defined; a mean of perplexities would be that of the one worst text."""
    before, after = (math.exp(min(nll[side], 700.0)) for side in ("champion", "candidate"))
    return nll | {"champion": before, "candidate": after, "difference": after - before, "error": None}


def _mean(values: Floats, weights: Floats) -> float:
    return float(np.average(values, weights=weights))


def _values_of(answer: Answer) -> dict[str, float]:
    """Every number that is known of one answer, by its name."""
    found: dict[str, float | None] = {
        "score": answer.score,
        **answer.measures,
        "length": float(len(answer.text)),
        "tokens": None if answer.tokens is None else float(answer.tokens),
        "nll_per_token": answer.nll_per_token,
    }
    return {name: value for name, value in found.items() if value is not None}
