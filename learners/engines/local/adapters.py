"""Reads an adapter's folder and refuses what would not fit, before the model is touched.

Why so strict: PEFT changes the base in place while it loads, fills what a file lacks with random numbers, and looks
for missing files in the Hub. So everything is read into memory and compared with the base first. Only LoRA on linear
layers, with or without rsLoRA and DoRA, is in this version: no `modules_to_save`, trained biases or embeddings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from safetensors import SafetensorError
from safetensors.torch import load as read_safetensors

from learners.engines.wire import BadRequest

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<part>A\.weight|B\.weight|magnitude_vector)")
A, B, MAGNITUDE = "A.weight", "B.weight", "magnitude_vector"

Shapes = Mapping[str, tuple[int, int]]  # linear layers of the base: name -> (inputs, outputs)


@dataclass(frozen=True, slots=True)
class AdapterFiles:
    """An adapter that fits the base: its PEFT config, its tensors by their names in the file, the layers it changes."""

    config: LoraConfig
    tensors: dict[str, torch.Tensor]
    modules: frozenset[str]


def linear_shapes(base: torch.nn.Module) -> dict[str, tuple[int, int]]:
    """The layers of a bare base that LoRA can change, with (inputs, outputs)."""
    linears = ((name, m) for name, m in base.named_modules() if isinstance(m, torch.nn.Linear))
    return {name: (linear.in_features, linear.out_features) for name, linear in linears}


def read_adapter(path: Path, shapes: Shapes, max_rank: int) -> AdapterFiles:
    """The adapter in that folder. Raises BadRequest saying what does not fit and what to do."""
    described = _read_config(path)
    _check_config(described, path, max_rank)
    tensors = _read_tensors(path)
    modules = _check_tensors(tensors, path, shapes, max_rank, dora=bool(described.get("use_dora")))
    try:
        config = LoraConfig.from_pretrained(str(path))
    except Exception as error:  # PEFT raises many kinds for one broken file
        raise BadRequest(f"{path / CONFIG_FILE} is not a config PEFT reads ({type(error).__name__}).") from None
    config.inference_mode = True
    return AdapterFiles(config, tensors, modules)


def _read_config(path: Path) -> dict[str, Any]:
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (path / name).is_file():
            raise BadRequest(f"{path} has no {name}; give the folder of one LoRA adapter saved by PEFT.")
    try:
        found = json.loads((path / CONFIG_FILE).read_bytes())
    except (OSError, ValueError):
        raise BadRequest(f"{path / CONFIG_FILE} is not readable JSON; publish the adapter again.") from None
    if not isinstance(found, dict):
        raise BadRequest(f"{path / CONFIG_FILE} is not a JSON object; publish the adapter again.")
    return found


def _check_config(found: dict[str, Any], path: Path, max_rank: int) -> None:
    if found.get("peft_type") != "LORA":
        raise BadRequest(f"{path} is not a LoRA adapter; only LoRA is in this version of adaptd.")
    for name in ("modules_to_save", "lora_bias", "trainable_token_indices"):
        if found.get(name):
            raise BadRequest(f"{path} uses {name}, which is not in this version of adaptd; train without it.")
    pattern = found.get("rank_pattern") or {}
    for rank in (found.get("r"), *(pattern.values() if isinstance(pattern, dict) else [None])):
        if not isinstance(rank, int) or not 0 < rank <= max_rank:
            raise BadRequest(
                f"{path} has a rank that is not in 1..{max_rank}; train a smaller one or raise --max-rank."
            )


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read whole, not mapped: a mapped file that is cut while it is read would kill the process."""
    try:
        return dict(read_safetensors((path / WEIGHTS_FILE).read_bytes()))
    except (OSError, SafetensorError, ValueError, KeyError):
        raise BadRequest(f"{path / WEIGHTS_FILE} is corrupt or cut short; publish the adapter again.") from None


def _check_tensors(
    tensors: dict[str, torch.Tensor], path: Path, shapes: Shapes, max_rank: int, *, dora: bool
) -> frozenset[str]:
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        found = KEY.fullmatch(key)
        if not found:
            raise BadRequest(
                f"{path} holds {key[:120]!r}, which is no LoRA matrix of a linear layer; train without it."
            )
        parts.setdefault(found["module"], {})[found["part"]] = tensor
    if not parts:
        raise BadRequest(f"{path} holds no LoRA matrices; publish the adapter again.")
    for module, found_parts in parts.items():
        matrices = {name: tensor for name, tensor in found_parts.items() if name != MAGNITUDE}
        _check_layer(module, matrices, path, shapes, max_rank)
        _check_magnitude(module, found_parts.get(MAGNITUDE), path, shapes, dora=dora)
    return frozenset(parts)


def _check_magnitude(module: str, found: torch.Tensor | None, path: Path, shapes: Shapes, *, dora: bool) -> None:
    """With DoRA each layer has one number for each of its outputs, else none has any."""
    where = f"{path}, layer {module[:120]!r}"
    if (found is not None) != dora:
        raise BadRequest(f"{where}: its config and its weights disagree on DoRA; publish the adapter again.")
    if found is not None and (found.numel() != shapes[module][1] or not bool(torch.isfinite(found).all())):
        raise BadRequest(f"{where}: its DoRA magnitudes do not fit this base; the adapter was trained on another base.")


def _check_layer(module: str, matrices: dict[str, torch.Tensor], path: Path, shapes: Shapes, max_rank: int) -> None:
    where = f"{path}, layer {module[:120]!r}"
    if module not in shapes:
        raise BadRequest(f"{where}: this base has no such linear layer; the adapter was trained on another base.")
    if set(matrices) != {A, B} or any(m.ndim != 2 for m in matrices.values()):
        raise BadRequest(f"{where}: both LoRA matrices are needed; publish the adapter again.")
    inputs, outputs = shapes[module]
    rank = matrices[A].shape[0]
    if tuple(matrices[A].shape) != (rank, inputs) or tuple(matrices[B].shape) != (outputs, rank):
        raise BadRequest(f"{where}: its shape does not fit this base; the adapter was trained on another base.")
    if not 0 < rank <= max_rank:
        raise BadRequest(f"{where}: rank {rank} is above {max_rank}; train a smaller one or raise --max-rank.")
    if not all(bool(torch.isfinite(m).all()) for m in matrices.values()):
        raise BadRequest(f"{where}: it holds NaN or infinity; the training went wrong, do not release it.")
