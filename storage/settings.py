"""Where the store and the artifacts lie."""

from __future__ import annotations

from storage.records.settings import Settings, setting


class StorageSettings(Settings):
    """`storage:` in adaptd.yaml. Relative paths start at the folder of that file."""

    url: str = setting("sqlite:///adaptd.db", doc="Database of events, examples, updates and decisions.", live=False)
    artifacts: str = setting("./artifacts", doc="Folder of adapters and job directories.", live=False)
