"""Trains the small base from nothing, on sloppy diagrams: 0.73M parameters, about a minute of CPU.

The loss is on the answers only, batches hold answers of like length, and Muon steps the matrices of the blocks while
AdamW steps the rest: with the loss on whole texts, or with AdamW alone, the model does not learn to copy the names of
the prompt in this time. The same recipe gives the same weights on the same machine. `examples.erd.base` runs this
module as a process of its own and caches what it makes.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from .recipe import Recipe
from .tokenizer import CHUNKS, train_tokenizer
from .world import Pool, entity_lists, prompt_of, sloppy_answer

_IGNORED = -100  # a label without loss


@dataclass(frozen=True, slots=True)
class Text:
    """One tokenized row: the ids of prompt and completion, and where the completion begins."""

    ids: list[int]
    completion_at: int


def pretrain(recipe: Recipe, directory: Path, on_step: Callable[[int, float], None]) -> None:
    """Train a base and save it into `directory` as a Hugging Face folder; `on_step(steps done, loss)` after each."""
    pretrain_on(_pairs(recipe), recipe, directory, on_step)


def pretrain_on(
    pairs: list[tuple[str, str]],
    recipe: Recipe,
    directory: Path,
    on_step: Callable[[int, float], None],
    chunks: str = CHUNKS,
) -> None:
    """The same for any (prompt, answer) pairs, `steps * batch_size` of them; `chunks` as `train_tokenizer` has it."""
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    tokenizer = train_tokenizer((text for pair in pairs for text in pair), recipe.vocabulary_size, chunks)
    model = _model(recipe, tokenizer)
    _train(model, _batches(tokenized(pairs, tokenizer), recipe), tokenizer.pad_token_id, recipe, on_step)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def _pairs(recipe: Recipe) -> list[tuple[str, str]]:
    rng = random.Random(recipe.seed)
    lists = entity_lists(Pool.PRETRAINING, recipe.seed, distinct=False)
    drawn = [next(lists) for _ in range(recipe.steps * recipe.batch_size)]
    return [(prompt_of(entities), sloppy_answer(entities, rng)) for entities in drawn]


def tokenized(pairs: list[tuple[str, str]], tokenizer: Any) -> list[Text]:
    """(prompt, answer) pairs in the chat template, each answer ending in the stop token."""

    def text(prompt: str, answer: str) -> Text:
        asked = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
        head = tokenizer(asked, add_special_tokens=False)["input_ids"]
        tail = tokenizer(answer, add_special_tokens=False)["input_ids"]
        return Text([*head, *tail, tokenizer.eos_token_id], len(head))

    return [text(*pair) for pair in pairs]


def _batches(texts: list[Text], recipe: Recipe) -> list[list[Text]]:
    """Texts of like length together, the batches themselves in random order."""
    ordered = sorted(texts, key=lambda text: len(text.ids))
    size = recipe.batch_size
    batches = [ordered[at : at + size] for at in range(0, len(ordered), size)]
    random.Random(recipe.seed).shuffle(batches)
    return batches


def _model(recipe: Recipe, tokenizer: Any) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=recipe.vocabulary_size,
        hidden_size=recipe.width,
        intermediate_size=recipe.inner_width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=recipe.max_positions,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def _train(
    model: LlamaForCausalLM,
    batches: list[list[Text]],
    pad_id: int,
    recipe: Recipe,
    on_step: Callable[[int, float], None],
) -> None:
    model.train()
    optimizers = list(_optimizers(model, recipe))
    schedules = [torch.optim.lr_scheduler.LambdaLR(one, lambda step: _rate(step, recipe)) for one in optimizers]
    for step, batch in enumerate(batches, start=1):
        loss = model(**batch_tensors(batch, pad_id)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        for stepper in (*optimizers, *schedules):
            stepper.step()
        model.zero_grad()
        on_step(step, loss.item())


def _optimizers(model: LlamaForCausalLM, recipe: Recipe) -> Iterator[torch.optim.Optimizer]:
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and ".layers." in name]
    ids = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in ids]
    yield torch.optim.Muon(matrices, lr=recipe.muon_rate, weight_decay=0.0)
    yield torch.optim.AdamW(rest, lr=recipe.adamw_rate, weight_decay=0.0, betas=(0.9, 0.95))


def _rate(step: int, recipe: Recipe) -> float:
    """The share of the full rate: up over the warm-up, then down in a line to nothing."""
    left = (recipe.steps - step) / max(recipe.steps - recipe.warm_up_steps, 1)
    return min((step + 1) / recipe.warm_up_steps, left, 1.0)


def batch_tensors(batch: list[Text], pad_id: int) -> dict[str, torch.Tensor]:
    """Right-padded `input_ids` and `labels`, each (texts, longest), without loss on prompt and padding.

    No text sees the padding, which comes after it, so there is no mask: without one attention is faster.
    """
    longest = max(len(text.ids) for text in batch)
    ids = [text.ids + [pad_id] * (longest - len(text.ids)) for text in batch]
    labels = [
        [token if text.completion_at <= at < len(text.ids) else _IGNORED for at, token in enumerate(row)]
        for text, row in zip(batch, ids, strict=True)
    ]
    return {"input_ids": torch.tensor(ids), "labels": torch.tensor(labels)}


def main(arguments: list[str]) -> int:
    """Train into a directory, with a progress bar on stderr; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.erd.pretraining")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", type=Recipe.from_json, default=Recipe())
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args(arguments)
    transformers_logging.disable_progress_bar()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("loss {task.fields[loss]:.2f}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=options.quiet) as progress:
        bar = progress.add_task("training the small base model, once", total=options.recipe.steps, loss=float("nan"))
        pretrain(options.recipe, options.out, lambda step, loss: progress.update(bar, completed=step, loss=loss))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
