"""Names for adapters outside the registry: immutable, and safe in URLs, paths and metrics.

`erd@v18` is `erd-v18-<hash8>` in an engine. The hash covers task and files, so another file never comes under a used
name, and tasks whose slugs are alike (`a/b`, `a-b`) stay apart.
"""

from __future__ import annotations

import hashlib
import json
import re

from storage.records import Adapter

ENGINE_NAME = re.compile(r".+-v\d+-[0-9a-f]{8}")


def engine_name(adapter: Adapter, base_name: str = "base") -> str:
    """What an engine calls that adapter; one without files is the base, under the name that the engine gives it."""
    if not adapter.files:
        return base_name
    content = json.dumps([adapter.task, sorted(adapter.files.items())])
    return f"{slug(adapter.task)}-v{adapter.version}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def slug(task: str) -> str:
    """The task's name with everything but letters, digits and `_` as `-`, at most 80 characters."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", task).strip("-")[:80] or "task"


def folder_name(task: str) -> str:
    """A folder name for the task: its own where that is a safe one, else its slug with a hash."""
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", task):
        return task
    return f"{slug(task)}-{hashlib.sha256(task.encode()).hexdigest()[:8]}"
