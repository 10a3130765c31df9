"""The base and its adapters in memory: load, unload, generate, score. One thread owns it; it does no queueing.

Prompts of one batch are padded on the left, with positions that ignore the padding, so that an answer does not depend
on what else is in the batch (rounding aside). Adapters stay unmerged, side by side. Float32 on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM, AutoTokenizer

from learners.engines.client import Answer, Scored
from learners.engines.local.adapters import AdapterFiles, linear_shapes, read_adapter
from learners.engines.local.decoding import decode, pad_left
from learners.engines.local.sampling import Draws
from learners.engines.wire import BadRequest, Sampling
from learners.rendering import render_prompt, render_row, stop_ids
from storage.records import Message

LOGITS_AT_ONCE = 32 * 2**20  # numbers in the logits of one scoring pass: 128 MiB of float32


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """`max_context` counts prompt and answer, in tokens; `default_tokens` is for requests that name no `max_tokens`."""

    max_adapters: int = 8
    max_rank: int = 64
    max_context: int = 2048
    default_tokens: int = 512


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as token ids, ready to be answered. `limit` is how many tokens the answer may have."""

    ids: list[int]
    limit: int
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Loaded:
    """An adapter in memory: PEFT knows it as `slot`."""

    slot: str
    root: str


class Model:
    """Raises what transformers raises when `base` is not a causal language model's folder."""

    def __init__(self, base: Path | str, limits: ModelLimits) -> None:
        self.limits = limits
        self.adapters: dict[str, Loaded] = {}
        self._tokenizer: Any = AutoTokenizer.from_pretrained(str(base))
        self._base: Any = AutoModelForCausalLM.from_pretrained(str(base), dtype=torch.float32).eval()
        self._shapes = linear_shapes(self._base)
        self._peft: PeftModel | None = None
        self._slots = count(1)
        self._stops = _all_stop_ids(self._tokenizer, self._base)
        self._pad = self._tokenizer.pad_token_id if self._tokenizer.pad_token_id is not None else self._stops[0]
        self.context = min(limits.max_context, getattr(self._base.config, "max_position_embeddings", 2**30))

    def load(self, name: str, path: Path) -> bool:
        """True when newly loaded, False when the same folder is already there. Raises BadRequest."""
        known = self.adapters.get(name)
        if known and known.root == str(path):
            return False
        if known:
            raise BadRequest(f"{name!r} is loaded from another folder and names are immutable; use a new name.", 409)
        if len(self.adapters) >= self.limits.max_adapters:
            raise BadRequest(
                f"All {self.limits.max_adapters} adapter slots are taken; unload one or raise --max-adapters.", 409
            )
        slot = f"slot{next(self._slots)}"
        self._attach(slot, read_adapter(path, self._shapes, self.limits.max_rank), path)
        self.adapters[name] = Loaded(slot, str(path))
        return True

    def unload(self, name: str) -> None:
        """Raises BadRequest (404) when it is not loaded."""
        self._detach(self._known(name).slot)
        del self.adapters[name]

    def prepare(self, messages: Sequence[Message], sampling: Sampling) -> Prompt:
        """The prompt's tokens. Raises BadRequest when the context leaves no room for an answer."""
        ids = render_prompt(self._tokenizer, messages)
        room = self.context - len(ids)
        if not ids or room < 1:
            raise BadRequest(f"The prompt has {len(ids)} tokens and the context {self.context}; send a shorter one.")
        return Prompt(ids, min(sampling.max_tokens or self.limits.default_tokens, room), sampling)

    @torch.inference_mode()
    def generate(
        self, name: str | None, prompts: Sequence[Prompt], abandoned: Callable[[int], bool] = lambda _: False
    ) -> list[Answer]:
        """An answer a prompt, by the base (`name` None) or an adapter. Raises BadRequest (404) on an unknown name."""
        with self._speaking_as(name):
            found = decode(
                self._base,
                [prompt.ids for prompt in prompts],
                self._pad,
                self._stops,
                [prompt.limit for prompt in prompts],
                Draws([prompt.sampling for prompt in prompts]),
                abandoned,
            )
        return [self._answer(ids) for ids in found]

    @torch.inference_mode()
    def score(self, name: str | None, items: Sequence[tuple[Sequence[Message], str]]) -> list[Scored | None]:
        """Likelihood of each completion, None for an item beyond the context. Raises BadRequest for an unknown name."""
        rows = [render_row(self._tokenizer, messages, completion) for messages, completion in items]
        fitting = [at for at, (prompt, said) in enumerate(rows) if len(prompt) + len(said) <= self.context]
        scored: dict[int, Scored] = {}
        with self._speaking_as(name):
            for chunk in self._chunks(rows, fitting):
                scored.update(zip(chunk, self._score_chunk([rows[at] for at in chunk]), strict=True))
        return [scored.get(at) for at in range(len(rows))]

    def _score_chunk(self, rows: list[tuple[list[int], list[int]]]) -> Iterator[Scored]:
        ids, mask, positions = pad_left([prompt + completion for prompt, completion in rows], self._pad)
        keep = max(len(completion) for _, completion in rows) + 1
        out = self._base(
            input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=keep, use_cache=False
        )
        log_p = out.logits[:, -keep:-1].float().log_softmax(-1)
        token_log_p = log_p.gather(-1, ids[:, 1 - keep :, None]).squeeze(-1)
        entropy = -(log_p.exp() * log_p).sum(-1)
        for at, (_, completion) in enumerate(rows):
            n = len(completion)
            yield Scored(-token_log_p[at, -n:].double().sum().item(), n, entropy[at, -n:].double().mean().item())

    def _chunks(self, rows: Sequence[tuple[list[int], list[int]]], which: Sequence[int]) -> Iterator[list[int]]:
        """Numbers of those rows, rows of like length together, as many at once as the logits' bound allows."""
        chunk: list[int] = []
        for at in sorted(which, key=lambda at: len(rows[at][0]) + len(rows[at][1])):
            width = max(len(rows[i][1]) for i in [*chunk, at]) + 1
            if chunk and (len(chunk) + 1) * width * self._base.config.vocab_size > LOGITS_AT_ONCE:
                yield chunk
                chunk = []
            chunk.append(at)
        if chunk:
            yield chunk

    def _answer(self, ids: list[int]) -> Answer:
        stop = next((at for at, token in enumerate(ids) if token in self._stops), None)
        text = self._tokenizer.decode(ids[:stop], skip_special_tokens=True)
        return Answer(text, "length", len(ids)) if stop is None else Answer(text, "stop", stop + 1)

    @contextmanager
    def _speaking_as(self, name: str | None) -> Iterator[None]:
        if name is not None:
            slot = self._known(name).slot
            assert self._peft is not None
            self._peft.set_adapter(slot)
        base_alone = self._peft.disable_adapter() if name is None and self._peft is not None else nullcontext()
        with base_alone:
            yield

    def _known(self, name: str) -> Loaded:
        if name not in self.adapters:
            raise BadRequest(f"The model {name!r} is not loaded here; see /v1/models for what is.", 404)
        return self.adapters[name]

    def _attach(self, slot: str, files: AdapterFiles, path: Path) -> None:
        """Adds the adapter whole or not at all."""
        try:
            if self._peft is None:
                self._peft = PeftModel(self._base, files.config, adapter_name=slot)
            else:
                self._peft.add_adapter(slot, files.config)
            set_peft_model_state_dict(self._peft, dict(files.tensors), adapter_name=slot)
            changed = _layers_of(self._base, slot)
        except Exception as error:  # whatever PEFT finds, the base must come out of it as it was
            self._detach(slot)
            raise BadRequest(f"PEFT cannot load {path} ({type(error).__name__}); publish the adapter again.") from None
        if changed != files.modules:
            self._detach(slot)
            raise BadRequest(f"{path}: its config and its weights name different layers; publish the adapter again.")
        self._peft.eval()

    def _detach(self, slot: str) -> None:
        if self._peft is None:
            return
        others = any(loaded.slot != slot for loaded in self.adapters.values())
        if others:
            self._peft.delete_adapter(slot)
        else:
            self._peft.unload()
            self._peft = None


def _layers_of(base: torch.nn.Module, slot: str) -> frozenset[str]:
    layers = ((name, m) for name, m in base.named_modules() if isinstance(m, LoraLayer))
    return frozenset(name for name, layer in layers if slot in layer.lora_A)


def _all_stop_ids(tokenizer: Any, base: Any) -> tuple[int, ...]:
    """The template's and tokenizer's stop tokens, and those that the base's generation config adds."""
    more = getattr(base.generation_config, "eos_token_id", None)
    more = more if isinstance(more, list) else [] if more is None else [more]
    return tuple(dict.fromkeys([*stop_ids(tokenizer), *more]))
