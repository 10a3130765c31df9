"""Changes one key of adaptd.yaml as a careful person would: that line alone, comments and layout kept, all or nothing.

The text is edited by ruamel.yaml's round trip. Where that would also lay out anew what was not touched, only the lines
that the change itself makes are taken over. Nothing here knows what a key means.
"""

from __future__ import annotations

import difflib
import io
import os
import re
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.util import load_yaml_guess_indent

from daemon.errors import Denied

WIDTH = 4096  # no line is broken that its author left whole


def with_key(text: str, keys: Sequence[str], value: Any) -> str:
    """The text with `keys` set to `value`; sections on the way are made. The text must be valid YAML."""
    yaml = _writer(text)
    unchanged = _dumped(yaml, _loaded(yaml, text))
    tree = _loaded(yaml, text)
    _set(tree, keys, value)
    changed = _dumped(yaml, tree)
    careful = _only_what_changed(text, unchanged, changed)
    return careful if _means(careful) == _means(changed) else changed


def lines_for(keys: Sequence[str], value: Any) -> str:
    """The lines that a person would add, sections and all."""
    whole: Any = value
    for key in reversed(keys):
        whole = {key: whole}
    return _dumped(YAML(), whole)


def write_over(path: Path, before: str, after: str) -> None:
    """Replaces the file in one step, with its mode and owner; a link keeps leading to it.

    Raises OSError where it cannot be written; Denied where it is no longer what was read.
    """
    target = path.resolve()
    if not os.access(target, os.W_OK):
        raise PermissionError(13, "Permission denied", str(target))
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(after)
            file.flush()
            _like(target, file.fileno())
            os.fsync(file.fileno())
        if target.read_text(encoding="utf-8") != before:
            raise Denied(f"{path} was changed by somebody else in this moment; look at it and try again")
        os.replace(name, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _like(target: Path, handle: int) -> None:
    found = target.stat()
    os.fchmod(handle, found.st_mode & 0o7777)
    with suppress(PermissionError):  # another's file in a folder of ours
        os.fchown(handle, found.st_uid, found.st_gid)


def _set(tree: Any, keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        if tree.get(key) is None:
            tree[key] = CommentedMap()
        tree = tree[key]
    tree[keys[-1]] = value


def _writer(text: str) -> YAML:
    """One that lays out as the text does, as far as that can be guessed."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, WIDTH
    _, sequence, offset = load_yaml_guess_indent(text)
    nested = re.search(r"^[^\s#-][^#\n]*:\s*(?:#.*)?\n(?:\s*(?:#.*)?\n)*( +)[^\s#-]", text, flags=re.MULTILINE)
    mapping = len(nested[1]) if nested else 2
    yaml.indent(mapping=mapping, sequence=(sequence or 4) if offset is not None else 4, offset=offset or 0)
    return yaml


def _loaded(yaml: YAML, text: str) -> Any:
    tree = yaml.load(text)
    return CommentedMap() if tree is None else tree


def _dumped(yaml: YAML, tree: Any) -> str:
    written = io.StringIO()
    yaml.dump(tree, written)
    return written.getvalue()


def _only_what_changed(text: str, unchanged: str, changed: str) -> str:
    """The change between the two dumps, made in the text; where its lines are not theirs, the dump itself."""
    own, before, after = (each.splitlines(keepends=True) for each in (text, unchanged, changed))
    if len(own) != len(before):
        return changed
    steps = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return "".join(line for kind, i, j, k, m in steps for line in (own[i:j] if kind == "equal" else after[k:m]))


def _means(text: str) -> Any:
    try:
        return YAML(typ="safe").load(text)
    except Exception:  # only compared: what cannot be read is not the same as what can
        return None
