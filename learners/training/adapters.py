"""LoRA adapters in memory and on disk: made fresh or taken from a champion, remembered, put back, written.

What is written is what an engine loads and nothing more: adapter_config.json and adapter_model.safetensors, the same
bytes for the same weights (sets in the configuration are sorted).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, set_seed

from learners.job import ADAPTER, Lora, Model, TrainJob
from learners.quantization import check_quantization
from learners.training.errors import StartMissing

FILES = ("adapter_config.json", "adapter_model.safetensors")
Weights = Mapping[str, torch.Tensor]


def on_gpu() -> bool:
    return bool(torch.cuda.is_available())


def load_tokenizer(path: str) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token_id = tokenizer.eos_token_id
    return tokenizer


def load_model(job: TrainJob) -> Any:
    """The base with a trainable adapter called `default`, seeded: in float32 on CPU, as it was saved on a GPU.

    Raises StartMissing, and NoQuantization where 4 bits are asked for and cannot be had.
    """
    return with_adapter(base_to_train(job.base.path, job.model), job)


def base_to_train(path: str, model: Model) -> Any:
    """The bare model as training holds it. Raises NoQuantization."""
    return _load_quantized(path) if model.quantization == "4bit" else load_base(path)


def with_adapter(base: Any, job: TrainJob) -> Any:
    """A loaded base with the adapter that the job starts from; `bare` takes it off again. Raises StartMissing."""
    set_seed(job.seed)
    if job.start.mode == "base":
        return get_peft_model(base, _configuration(job.model.lora))
    path = job.start.adapter_path
    if path is None or not holds_adapter(path):
        raise StartMissing(
            f"The champion's adapter {path} lacks {' or '.join(FILES)}; restore it, or start from the base."
        )
    return PeftModel.from_pretrained(base, path, is_trainable=True)


def bare(model: Any) -> Any:
    """The base as it was before it had an adapter, so that the next one finds it as if freshly loaded."""
    base = model.unload()
    if hasattr(base, "peft_config"):
        del base.peft_config
    for parameter in base.parameters():
        parameter.grad = None
    return base


def load_base(path: str) -> Any:
    """Without an adapter, as engines serve it."""
    return AutoModelForCausalLM.from_pretrained(
        path, dtype="auto" if on_gpu() else torch.float32, local_files_only=True
    )


def _load_quantized(path: str) -> Any:
    """In 4-bit normal floats, their scales quantized too; computing in bfloat16.

    All of it is on one device: the GPU, but in tests, which use the CPU kernels of the same library."""
    check_quantization("4bit")
    in_4_bits = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    base = AutoModelForCausalLM.from_pretrained(
        path,
        quantization_config=in_4_bits,
        device_map={"": 0 if on_gpu() else "cpu"},
        dtype=torch.bfloat16,
        local_files_only=True,
    )
    return prepare_model_for_kbit_training(base, use_gradient_checkpointing=False)


def holds_adapter(path: str) -> bool:
    """Whether the folder has all that an adapter is made of."""
    return all((Path(path) / name).is_file() for name in FILES)


def weights_of(model: Any) -> dict[str, torch.Tensor]:
    """A copy of everything that is trained."""
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


def put_weights(model: Any, weights: Weights) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in weights:
                parameter.copy_(weights[name])


def read_weights(model: Any, folder: Path) -> dict[str, torch.Tensor]:
    """A published adapter's weights under the names that the model's own trained ones have.

    Scaled, so that they do in this model what they did in their own: `lora.alpha` and `lora.rslora` may have changed.
    Raises StartMissing where it is not there, or is of another shape than the model's.
    """
    own = weights_of(model)
    try:
        found = load_file(folder / FILES[1])
        factor = _scale_of(_shape_in(folder)) / _scale_of(model.peft_config[model.active_adapter])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise StartMissing(f"The champion's adapter {folder} cannot be read ({type(error).__name__}).") from None
    # PEFT writes DoRA's magnitudes without the `.weight` that all others end in.
    named = {f"{name.removesuffix('.weight')}.default.weight": weight for name, weight in found.items()}
    if {name: weight.shape for name, weight in named.items()} != {name: weight.shape for name, weight in own.items()}:
        raise StartMissing(f"The champion's adapter {folder} has another shape than model.lora asks for now.")
    return {name: factor * weight if ".lora_B." in name else weight for name, weight in named.items()}


def _shape_in(folder: Path) -> LoraConfig:
    """As far as the scale goes. PEFT's own reader asks the Hub for a file that is not there."""
    told = json.loads((folder / FILES[0]).read_text(encoding="utf-8"))
    return LoraConfig(r=told["r"], lora_alpha=told["lora_alpha"], use_rslora=told["use_rslora"])


def _scale_of(shape: LoraConfig) -> float:
    """What the product of the two low-rank matrices is multiplied by."""
    return float(shape.lora_alpha / (shape.r**0.5 if shape.use_rslora else shape.r))


@contextmanager
def borrowed(model: Any, weights: Weights) -> Iterator[None]:
    """Inside, the model has those weights; afterwards its own again."""
    own = weights_of(model)
    put_weights(model, weights)
    try:
        yield
    finally:
        put_weights(model, own)


def write_adapter(model: Any, directory: Path) -> tuple[dict[str, str], int]:
    """Writes `adapter/` under another name, then renames it. Returns sha256 by file name, and the size in bytes."""
    unfinished = directory / f"{ADAPTER}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    model.save_pretrained(str(unfinished), save_embedding_layers=False)
    for extra in [path for path in unfinished.iterdir() if path.name not in FILES]:
        extra.unlink()
    _sort_configuration(unfinished / FILES[0])
    return finish_adapter(unfinished)


def as_served(model: Any, job: TrainJob, directory: Path) -> Any:
    """The model as an engine will hold it: on the whole base, where training saw it in 4 bits."""
    if job.model.quantization == "none":
        return model
    return PeftModel.from_pretrained(load_base(job.base.path), str(directory / ADAPTER))


def finish_adapter(unfinished: Path) -> tuple[dict[str, str], int]:
    """Renames a written adapter into its place. Returns sha256 by file name, and the size in bytes."""
    final = unfinished.with_name(ADAPTER)
    shutil.rmtree(final, ignore_errors=True)
    unfinished.rename(final)
    files = {path.name: path.read_bytes() for path in sorted(final.iterdir())}
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}, sum(map(len, files.values()))


def _configuration(lora: Lora) -> LoraConfig:
    targets = lora.target_modules if isinstance(lora.target_modules, str) else list(lora.target_modules)
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        task_type="CAUSAL_LM",
    )


def _sort_configuration(path: Path) -> None:
    configuration = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(configuration.get("target_modules"), list):
        configuration["target_modules"].sort()
    path.write_text(json.dumps(configuration, indent=2, sort_keys=True) + "\n", encoding="utf-8")
