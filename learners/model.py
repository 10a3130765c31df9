"""Which base model the adapters sit on, and their shape. Torch-free: the daemon reads it, the worker obeys it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from storage.records.settings import Settings, setting

Quantization = Literal["none", "4bit"]
DEFAULT_EMBEDDINGS = "sentence-transformers/all-MiniLM-L6-v2"


class LoraSettings(Settings):
    """`model.lora:` the shape of every adapter of this line."""

    rank: int = setting(
        16,
        doc="Rank of the low-rank update; the engine must allow at least this.",
        unit="dimensions",
        live=False,
        ge=1,
        le=512,
    )
    alpha: int = setting(32, doc="Scale of the update: alpha / rank multiplies it.", unit="factor", live=False, ge=1)
    dropout: float = setting(
        0.05, doc="Dropout on the adapter's input while it trains.", unit="share", live=False, ge=0, lt=1
    )
    target_modules: str | list[str] = setting(
        "all-linear", doc="Layers that get an adapter; lm_head never does.", live=False
    )
    rslora: bool = setting(
        False, doc="Scale by alpha / sqrt(rank) instead, so that a larger rank is not held back.", live=False
    )
    dora: bool = setting(
        False,
        doc="Learn each weight's magnitude apart from its direction: slower, and not every engine loads such adapters.",
        live=False,
    )


class ModelSettings(Settings):
    """`model:` in adaptd.yaml."""

    base: str = setting(
        "Qwen/Qwen2.5-0.5B-Instruct",
        doc="Folder of the base model, or Hugging Face name of one that was downloaded before (`hf download NAME`).",
        live=False,
    )
    max_context: int = setting(
        2048, doc="Longest prompt plus answer, in tokens; longer rows are dropped.", unit="tokens", live=False, ge=16
    )
    quantization: Quantization = setting(
        "none",
        doc="`4bit` trains over a base held in 4 bits (QLoRA): needs an NVIDIA GPU and `pip install 'adaptd[qlora]'`.",
        live=False,
    )
    embeddings: str = setting(
        DEFAULT_EMBEDDINGS,
        doc="Sentence model that says how alike texts are: a folder, a Hugging Face name that was downloaded before, "
        "or `ngrams` to compare words without a model.",
        live=False,
    )
    lora: LoraSettings = setting(LoraSettings(), doc="Shape of the adapters.", live=False)


def kept_shape(adapter: Path | None, lora: LoraSettings) -> str:
    """In words, where the adapter in that folder is not of the shape that `model.lora` asks for: whatever goes on from
    it keeps its own. Empty where it is, or cannot be read (its worker says so)."""
    if adapter is None:
        return ""
    try:
        told = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    names = {"rank": "r", "alpha": "lora_alpha", "rslora": "use_rslora", "dora": "use_dora"}
    asked = {name: getattr(lora, name) for name in names}
    other = [f"{name} {told[there]}" for name, there in names.items() if told.get(there, asked[name]) != asked[name]]
    return (
        f"its shape stays ({', '.join(other)}): what model.lora says now is for updates from the base" if other else ""
    )
