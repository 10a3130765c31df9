"""The base model: there, whole, and of a kind that adapters can be trained on."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.config import Config
from daemon.doctor.checks import Check, fail, ok, warn
from learners.architectures import check_architecture
from learners.base import find_base, find_sentence_model
from learners.errors import EmbeddingsMissing, LearnerError
from learners.quantization import check_quantization
from learners.targets import check_targets


def check_model(config: Config) -> list[Check]:
    try:
        folder = find_base(config.model.base)
        if unreadable := [file.name for file in sorted(folder.iterdir()) if not os.access(file, os.R_OK)]:
            return [fail("base model", f"{folder}: {', '.join(unreadable)} cannot be read; correct the rights")]
        kind = check_architecture(folder)
        check_quantization(config.model.quantization)
        check_targets(folder, config.model.lora.target_modules)
    except (LearnerError, OSError) as error:
        return [fail("base model", f"{str(error).rstrip('.')}; a daemon with --role intake,api needs none")]
    return [ok("base model", f"{folder}{f', {kind}' if kind else ''}, {_size(folder)}"), _sentence_model(config)]


def _sentence_model(config: Config) -> Check:
    """What needs one does without where it is missing, so that is no failure."""
    if config.model.embeddings == "ngrams":
        return ok("sentence model", "none: texts are compared by their words (model.embeddings: ngrams)")
    try:
        return ok("sentence model", str(find_sentence_model(config.model.embeddings)))
    except EmbeddingsMissing as missing:
        return warn("sentence model", f"{missing}; only `active` and the win-rate head use one, and do without")


def _size(folder: Path) -> str:
    total = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    return f"{total / 2**30:.1f} GiB" if total >= 2**30 else f"{total / 2**20:.1f} MiB"
