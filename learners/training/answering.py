"""What an adapter in training answers to the dev prompts, judged by the task's validator.

Greedy, with the model that trains, in this process: a search has no engine, and the engine that serves has other work.
Prompts that are equal are answered once; those that leave no room for an answer are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import torch

from learners.job import SearchJob
from learners.rendering import render_prompt, stop_ids
from learners.training.errors import NothingToTrain
from learners.validators import Validator
from storage.records import Message, Row, codec

ANSWERS_AT_ONCE = 16
LEAST_ROOM = 16  # tokens
LONGEST_ANSWER = 512  # tokens, where the job names no limit


def validator_loss(model: Any, tokenizer: Any, dev: Sequence[Row], validator: Validator, job: SearchJob) -> float:
    """One minus the mean score in [0, 1] over the different prompts of the dev rows."""
    window, most = job.model.max_context, job.sampling.max_tokens or LONGEST_ANSWER
    different = {codec.to_json(row.messages): row.messages for row in dev}
    rendered = [(messages, render_prompt(tokenizer, messages)) for messages in different.values()]
    fitting = sorted((one for one in rendered if len(one[1]) + LEAST_ROOM <= window), key=lambda one: len(one[1]))
    if not fitting:
        raise NothingToTrain("No dev prompt leaves room for an answer; raise model.max_context.")
    scores: list[float] = []
    for at in range(0, len(fitting), ANSWERS_AT_ONCE):
        some = fitting[at : at + ANSWERS_AT_ONCE]
        answers = _answers(model, tokenizer, [ids for _, ids in some], min(most, window - len(some[-1][1])))
        judged = zip(some, answers, strict=True)
        scores += [validator.validate(_asked(messages), answer).score for (messages, _), answer in judged]
    return 1.0 - fmean(scores)


def _answers(model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], room: int) -> list[str]:
    """Padded on the left, so that every prompt ends where its answer begins."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), tokenizer.pad_token_id, device=model.device)
    mask = torch.zeros_like(ids)
    for at, prompt in enumerate(prompts):
        ids[at, width - len(prompt) :] = torch.tensor(list(prompt), device=model.device)
        mask[at, width - len(prompt) :] = 1
    model.eval()
    with torch.no_grad():
        said = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=room,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=list(stop_ids(tokenizer)),
        )
    return [tokenizer.decode(answer[width:], skip_special_tokens=True) for answer in said]


def _asked(messages: Sequence[Message]) -> str:
    """What the user asked last: validators look at that."""
    return next((message.content for message in reversed(messages) if message.role == "user"), "")
