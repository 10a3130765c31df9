"""Texts of adaptd.yaml, read as the daemon reads the file: the config that they make, or the faults that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent

import pytest

from daemon.config import Config, load
from daemon.errors import ConfigError

KAFKA = "{type: kafka, bootstrap_servers: ['broker:9092'], topics: [feedback]"


def read(file: Path, text: str, overrides: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> Config:
    file.write_text(dedent(text), encoding="utf-8")
    return load(file, overrides=overrides, environ=environ or {})


def faults(file: Path, text: str, overrides: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> list[str]:
    """Each fault's line, with the file's folder left out."""
    with pytest.raises(ConfigError) as caught:
        read(file, text, overrides, environ)
    return [line.removeprefix(f"{file.parent}/") for line in str(caught.value).splitlines()]
