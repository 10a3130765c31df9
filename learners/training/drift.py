"""How far a candidate went from where it started, and what it makes of texts that everybody may see.

`kl_from_start` is the mean over completion tokens of KL(candidate || start policy), in nats, on rows of its own
batch: a candidate that did not move learned nothing, whatever its loss says. `retention` is the same on general
prompts, from the base and from the champion: a candidate that moved far there has forgotten. `probe` records the
likelihood of fixed texts without user content, so that a release can check that an engine serves what was trained.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from learners.job import Probe, Retention
from learners.probes import PROBES
from learners.rendering import render_row
from learners.retention import GENERAL
from learners.training.adapters import Weights, borrowed
from learners.training.rows import EncodedRow
from storage.records import Message

ROWS = 8
TOKENS_PER_ROW = 256
CHAMPION = "champion"


def kl_from_start(model: Any, rows: Sequence[EncodedRow], start: Weights) -> float:
    """Mean nats a token over the first `TOKENS_PER_ROW` completion tokens of up to `ROWS` rows, new ones first."""
    chosen = sorted(rows, key=lambda row: (row.replay, -row.weight, row.line))[:ROWS]
    nats = torch.cat([_kl_of(model, row, start) for row in chosen])
    return float(nats.mean())


def probe(model: Any, tokenizer: Any) -> tuple[Probe, ...]:
    """The likelihood of each of `learners.probes.PROBES` under the model as it is."""
    return tuple(_probe_one(model, tokenizer, prompt, completion) for prompt, completion in PROBES)


def retention(model: Any, tokenizer: Any, champion_path: str | None) -> Retention:
    """On `learners.retention.GENERAL`: how far the model is from its base, and from the champion in that folder."""
    texts = [render_row(tokenizer, [Message("user", prompt)], completion) for prompt, completion in GENERAL]
    now = [_log_probs(model, prompt, completion) for prompt, completion in texts]
    with model.disable_adapter():
        base = _apart(now, [_log_probs(model, prompt, completion) for prompt, completion in texts])
    champion = base
    if champion_path is not None:
        with _speaking_as(model, champion_path):
            champion = _apart(now, [_log_probs(model, prompt, completion) for prompt, completion in texts])
    return Retention(
        prompts=len(texts),
        tokens=sum(len(nats) for nats in base),
        kl_base=float(torch.cat(base).mean()),
        kl_champion=float(torch.cat(champion).mean()),
        worst=max(float(nats.mean()) for nats in base),
    )


def _apart(now: Sequence[torch.Tensor], before: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """KL(now || before) of each token of each text, in nats."""
    return [(one.exp() * (one - other)).sum(dim=1) for one, other in zip(now, before, strict=True)]


@contextmanager
def _speaking_as(model: Any, path: str) -> Iterator[None]:
    """Inside, the model answers as the adapter in that folder; afterwards it holds no trace of it."""
    own = model.active_adapter
    model.load_adapter(path, CHAMPION)
    model.set_adapter(CHAMPION)
    try:
        yield
    finally:
        model.set_adapter(own)
        model.delete_adapter(CHAMPION)


def mean_log_likelihood(model: Any, prompt_ids: Sequence[int], completion_ids: Sequence[int]) -> float:
    """Mean nats a token (at most 0) of a completion under the model as it is."""
    return float(_log_probs(model, prompt_ids, completion_ids).gather(1, _column(model, completion_ids)).mean())


def _probe_one(model: Any, tokenizer: Any, prompt: str, completion: str) -> Probe:
    prompt_ids, completion_ids = render_row(tokenizer, [Message("user", prompt)], completion)
    nll = -_log_probs(model, prompt_ids, completion_ids).gather(1, _column(model, completion_ids)).sum()
    return Probe(prompt=prompt, completion=completion, nll=float(nll), tokens=len(completion_ids))


def _kl_of(model: Any, row: EncodedRow, start: Weights) -> torch.Tensor:
    completion = row.completion_ids[:TOKENS_PER_ROW]
    now = _log_probs(model, row.prompt_ids, completion)
    with borrowed(model, start):
        before = _log_probs(model, row.prompt_ids, completion)
    return _apart([now], [before])[0]


@torch.no_grad()
def _log_probs(model: Any, prompt_ids: Sequence[int], completion_ids: Sequence[int]) -> torch.Tensor:
    """Log-probabilities over the vocabulary before each completion token: (tokens, vocabulary), float32."""
    model.eval()
    keep = len(completion_ids) + 1
    short = {"logits_to_keep": keep} if "logits_to_keep" in _accepted(model) else {}
    input_ids = torch.tensor([[*prompt_ids, *completion_ids]], device=model.device)
    logits = model(input_ids=input_ids, use_cache=False, **short).logits[0, -keep:-1]
    return torch.log_softmax(logits.float(), dim=-1)


def _accepted(model: Any) -> Sequence[str]:
    return tuple(inspect.signature(model.get_base_model().forward).parameters)


def _column(model: Any, ids: Sequence[int]) -> torch.Tensor:
    return torch.tensor(ids, device=model.device)[:, None]
