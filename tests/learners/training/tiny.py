"""A tiny random Llama with a byte-level tokenizer and a chat template: made in a blink, learns nothing of worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from learners.base import base_hash
from learners.job import DEV_ROWS, ROWS, Base, Lora, Model, Phase, Start, TrainJob
from learners.job_files import write_job, write_rows
from storage.records import Message, Origin, Row

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% if m.role == 'assistant' %}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ("<pad>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")


def make_base(directory: Path) -> Path:
    """Writes model and tokenizer; about 40 thousand random parameters, always the same."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    configuration = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    LlamaForCausalLM(configuration).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def make_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    bytes_in_order = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *bytes_in_order])}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", eos_token="<|end|>", additional_special_tokens=list(SPECIAL[2:])
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def row(number: int, *, completion: str | None = None, weight: float = 1.0, replay: bool = False) -> Row:
    return Row(
        messages=(Message("user", f"question {number}"),),
        completion=f"answer {number}" if completion is None else completion,
        role="target",
        signal=1.0,
        reward=1.0,
        weight=weight,
        origin=Origin(f"i{number}", 1),
        user_id="somebody",
        effective_at=datetime(2026, 1, 1, tzinfo=UTC),
        replay=replay,
    )


def pair(number: int, *, chosen: str = "yes yes", rejected: str = "no no no", weight: float = 1.0) -> Row:
    return replace(row(number, completion=chosen, weight=weight), role="pair", rejected=rejected)


def make_job(
    directory: Path,
    base: Path,
    rows: list[Row],
    *,
    dev: list[Row] | None = None,
    method: str = "sft",
    settings: dict[str, Any] | None = None,
    **changes: Any,
) -> TrainJob:
    """Writes the directory of a train job and returns the job: of one phase, where `phases` are not among changes."""
    directory.mkdir(parents=True, exist_ok=True)
    settings = {"learning_rate": 0.02, "steps": 6, "batch_size": 4} if settings is None else settings
    job = TrainJob(
        task="tiny",
        update_id=1,
        candidate="tiny@v1",
        phases=(Phase(method=method, settings=settings),),
        seed=7,
        base=Base(path=str(base), hash=base_hash(base)),
        start=Start(mode="base"),
        model=Model(max_context=256, lora=Lora(rank=4, alpha=8, dropout=0.05)),
        threads=1,
    ).model_copy(update=changes)
    write_job(directory, job)
    write_rows(directory / ROWS, rows)
    write_rows(directory / DEV_ROWS, dev or [])
    return job
