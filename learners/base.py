"""The base model's folder, without torch: where it is, whether it is whole, and what it hashes to.

A line of adapters belongs to one base hash. The hash covers what decides the model's answers: configuration,
tokenizer, chat template and weights, by name and content. Nothing is ever downloaded here.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from learners.errors import EmbeddingsMissing, LearnerError

_CHUNK_BYTES = 1 << 20
_CONFIGURATION = ("config.json", "generation_config.json")
_WEIGHT_SUFFIXES = (".safetensors", ".safetensors.index.json")


class BaseMissing(LearnerError):
    """The base model's folder is not there, or lacks something that is needed.

    To do: set `model.base` to a folder that holds a whole model, or run `--role intake,api` without one.

    Shows as: its exit code alone.
    """


def find_base(name: str) -> Path:
    """The folder of `model.base`: a path, or a Hugging Face name that was downloaded before. Raises BaseMissing."""
    path = Path(name).expanduser()
    if path.is_dir():
        return check_base(path)
    if (cached := cached_snapshot(name)) is not None:
        return check_base(cached)
    if name.startswith((".", "/", "~")):  # meant as a path: no hub has such a name
        raise BaseMissing(f"There is no model folder {path}; set model.base to one that has config.json in it.")
    raise BaseMissing(
        f"model.base {name!r} is neither a folder nor a downloaded model. Give the path of a model folder, or download "
        f"it first: hf download {name}"
    )


def find_sentence_model(name: str) -> Path:
    """The folder of a sentence model. Raises EmbeddingsMissing, which says what to do."""
    path = Path(name).expanduser()
    found = path if path.is_dir() else cached_snapshot(name)
    if found is None:
        raise EmbeddingsMissing(
            f"model.embeddings {name!r} is neither a folder nor a downloaded model; run `hf download {name}`, or set "
            "model.embeddings to the folder of a sentence model, or to `ngrams` to do without one"
        )
    if not (found / "modules.json").is_file():
        raise EmbeddingsMissing(
            f"model.embeddings: {found} has no modules.json, so it is no sentence-transformers model; name one that "
            "is, or `ngrams` to do without"
        )
    return found


def check_base(path: Path) -> Path:
    """That folder, absolute, when a model can be loaded from it. Raises BaseMissing with what is lacking."""
    if not path.is_dir():
        raise BaseMissing(f"There is no model folder {path}; set model.base to one that has config.json in it.")
    for what, found in (
        ("config.json", (path / "config.json").is_file()),
        ("weights (*.safetensors)", any(path.glob("*.safetensors"))),
        ("a tokenizer (tokenizer*.json or tokenizer.model)", any(path.glob("tokenizer*"))),
    ):
        if not found:
            raise BaseMissing(f"The model folder {path} has no {what}; set model.base to a whole model folder.")
    return path.resolve()


def base_hash(path: Path) -> str:
    """sha256 over name and content of all files that decide the answers, as hex. Reads the weights once, streamed."""
    total = hashlib.sha256()
    for file in sorted(_files_that_count(check_base(path))):
        total.update(f"{file.name}\0{_sha256_of(file)}\n".encode())
    return total.hexdigest()


def template_hash(path: Path) -> str | None:
    """sha256 of the chat template's text, as hex; None where the base has none."""
    template = chat_template(path)
    return None if template is None else hashlib.sha256(template.encode()).hexdigest()


def chat_template(path: Path) -> str | None:
    """The base's chat template: `chat_template.jinja`, else the one in tokenizer_config.json."""
    if (separate := path / "chat_template.jinja").is_file():
        return separate.read_text(encoding="utf-8")
    if not (configuration := path / "tokenizer_config.json").is_file():
        return None
    template = json.loads(configuration.read_text(encoding="utf-8")).get("chat_template")
    return template if isinstance(template, str) else None


def _files_that_count(path: Path) -> list[Path]:
    return [
        file
        for file in path.iterdir()
        if file.name in _CONFIGURATION
        or file.name.endswith(_WEIGHT_SUFFIXES)
        or file.name.startswith(("tokenizer", "vocab", "merges", "special_tokens", "added_tokens", "chat_template"))
    ]


def _sha256_of(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def cached_snapshot(name: str) -> Path | None:
    """Where Hugging Face's tools keep the main revision of a downloaded model (their documented cache layout)."""
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    repository = cache / f"models--{name.replace('/', '--')}"
    main = repository / "refs" / "main"
    if not main.is_file():
        return None
    snapshot = repository / "snapshots" / main.read_text(encoding="utf-8").strip()
    return snapshot if snapshot.is_dir() else None
