"""Published adapters: folders that appear whole or not at all, and never change.

Files are copied and synced into a hidden folder, the manifest is written last, and one rename makes it visible under
a name that holds the hash of its content. So a crash leaves only something hidden (`sweep` removes it), publishing
the same again finds itself, and two attempts of one update cannot overwrite each other. Which folder counts is said
by the registry alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from storage.errors import ArtifactCorrupt, ArtifactRefused
from storage.records import Adapter

MANIFEST = "manifest.json"
INCOMING = ".incoming"
PUBLISHABLE = frozenset({".safetensors", ".json", ".md", ".txt", ".jinja", ".model"})  # nothing that runs when read
_BLOCK_BYTES = 2**20


class Artifacts:
    """The folder of published adapters. Only one process publishes; any may read."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).resolve()

    def publish(self, name: str, source: Path, manifest: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        """Copy the files of `source` under `name` (`erd@v4`) and seal them with the manifest.

        Returns the folder, relative to the root, and each file's sha256. Publishing the same files again returns the
        same. Raises ArtifactRefused for what may not be published; OSError when the disk fails.
        """
        incoming = self.root / INCOMING / uuid.uuid4().hex
        incoming.mkdir(parents=True)
        try:
            files = {path.name: _copy(path, incoming / path.name) for path in _publishable(source)}
            directory = self._directory_of(name, files)
            self._seal(incoming, {**manifest, "name": name, "files": files})
            self._reveal(incoming, self.root / directory)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
        return directory, files

    def _directory_of(self, name: str, files: Mapping[str, str]) -> str:
        task, _, version = name.rpartition("@")
        content = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
        # a task may hold slashes or dots, a folder's name may not lead anywhere
        return f"{quote(task, safe='').replace('.', '%2E')}/{version}-{content[:16]}"

    def _seal(self, incoming: Path, manifest: Mapping[str, Any]) -> None:
        with (incoming / MANIFEST).open("w") as file:
            json.dump(manifest, file, indent=2, sort_keys=True, default=str)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(incoming)

    def _reveal(self, incoming: Path, target: Path) -> None:
        if (target / MANIFEST).is_file():
            return  # published before, by an attempt that was not recorded
        target.parent.mkdir(parents=True, exist_ok=True)
        incoming.rename(target)
        _sync_folder(target.parent)
        _sync_folder(self.root)

    def path_of(self, adapter: Adapter) -> Path | None:
        """The adapter's folder; None for the bare base, which has none."""
        return self.root / adapter.directory if adapter.directory else None

    def verify(self, adapter: Adapter) -> None:
        """Read every file and compare with what was published. Raises ArtifactCorrupt."""
        folder = self.path_of(adapter)
        if folder is None:
            return
        for name, expected in {**adapter.files}.items():
            path = folder / name
            found = _sha256(path) if path.is_file() else None
            if found != expected:
                what = "is missing" if found is None else "is not what was published"
                raise ArtifactCorrupt(
                    f"{adapter.name}: {path} {what}; restore it from a backup, or put another adapter into service "
                    f"(adaptd adapters rollback {adapter.task})"
                )

    def sweep(self) -> int:
        """Remove what a crash left half-written; returns how many. Call at start, before anything is published."""
        left = list((self.root / INCOMING).glob("*"))
        for folder in left:
            shutil.rmtree(folder, ignore_errors=True)
        return len(left)


def _publishable(source: Path) -> list[Path]:
    found = sorted(source.iterdir()) if source.is_dir() else []
    if not found:
        raise ArtifactRefused(f"{source} holds nothing to publish; the training run did not write its adapter")
    for path in found:
        if path.is_symlink() or not path.is_file() or path.suffix not in PUBLISHABLE or path.name == MANIFEST:
            raise ArtifactRefused(
                f"{path.name} in {source} may not be published: only plain files of the kinds "
                f"{' '.join(sorted(PUBLISHABLE))}, and not {MANIFEST}"
            )
    return found


def _copy(source: Path, target: Path) -> str:
    """Copy and sync one file; its sha256 is of the bytes written."""
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("xb") as writing:
        while block := reading.read(_BLOCK_BYTES):
            digest.update(block)
            writing.write(block)
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
