"""Adapters as the registry would hand them over, with files on disk."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemon.release.contract import Role, Wanted
from storage.records import Adapter

FILES = ("adapter_config.json", "adapter_model.safetensors")


def wanted(
    folder: Path, version: int, *, task: str = "erd", role: Role = "champion", manifest: dict[str, Any] | None = None
) -> Wanted:
    """Version N of the task with files of its own below `folder`; version 0 is the base."""
    path = None if version == 0 else folder / task / f"v{version}"
    if path is not None and not path.is_dir():
        path.mkdir(parents=True)
        for name in FILES:
            (path / name).write_text(f"{task} {version} {name}")
    return Wanted(adapter_of(task, version, path, manifest), path, role)


def adapter_of(task: str, version: int, path: Path | None, manifest: dict[str, Any] | None = None) -> Adapter:
    files = {} if path is None else {name: hashlib.sha256((path / name).read_bytes()).hexdigest() for name in FILES}
    return Adapter(
        name=f"{task}@v{version}",
        task=task,
        version=version,
        base_hash="b" * 64,
        parent=None,
        update_id=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        state="champion",
        files=files,
        manifest=manifest or {},
    )
