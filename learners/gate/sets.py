"""The golden file and the retention set: fixed prompts with the texts they should get, read from JSON lines.

One object a line: `prompt` (or `messages`, a list of role and content) and `target`. They are asked in every judging
beside the gate's own prompts, and never trained on. `general_prompts.json` is the retention set where the config names
none: short everyday questions with plain answers, which have nothing to do with any task.

Errors name file and line and never quote what is in it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

from consumers.cleaning import prompt_key
from learners.engines.wire import BadRequest, parse_messages
from learners.errors import LearnerError
from learners.job import Prompt
from storage.records import Message

from .noninferiority import MIN_ITEMS

SetName = Literal["golden", "retention"]
GENERAL = "general"
MOST_ITEMS = 1000
_GENERAL_FILE = Path(__file__).with_name("general_prompts.json")


class SetUnreadable(LearnerError):
    """The golden file or the retention set cannot be read, or a line is not a prompt with a target.

    To do: correct the line or the file that the text names; the candidate waits meanwhile and is judged then.

    Shows as: a line in the daemon's log, while it lasts, and a failed check of `adaptd doctor`.
    """


def read_set(name: SetName, source: Path | Literal["general", "off"] | None) -> tuple[Prompt, ...]:
    """The prompts of a set, none where it is off. Raises SetUnreadable with file and line."""
    if source is None or source == "off":
        return ()
    if source == GENERAL:
        return _general()
    items = _read_file(name, Path(source))
    if not MIN_ITEMS <= len(items) <= MOST_ITEMS:
        raise SetUnreadable(
            f"gate.{name}: {source} has {len(items)} lines; {MIN_ITEMS} to {MOST_ITEMS} prompts with targets are needed"
        )
    different = len({prompt_key(messages) for messages, _ in items})
    if different < MIN_ITEMS:  # equal prompts are one piece of evidence, and on fewer nothing is compared
        raise SetUnreadable(
            f"gate.{name}: {source} has {different} different prompts in {len(items)} lines; {MIN_ITEMS} are needed"
        )
    return tuple(_prompt(name, at, messages, target) for at, (messages, target) in enumerate(items, 1))


@cache
def _general() -> tuple[Prompt, ...]:
    pairs = json.loads(_GENERAL_FILE.read_text(encoding="utf-8"))
    items = [((Message("user", item["prompt"]),), item["target"]) for item in pairs]
    return tuple(_prompt("retention", at, messages, target) for at, (messages, target) in enumerate(items, 1))


def _prompt(name: SetName, number: int, messages: tuple[Message, ...], target: str) -> Prompt:
    return Prompt(id=f"{name}-{number}", part=name, messages=messages, target=target)


def _read_file(name: SetName, path: Path) -> list[tuple[tuple[Message, ...], str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # a text may hold other line ends, as U+2028
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SetUnreadable(f"gate.{name}: {path} cannot be read: {why}; correct the path or the file") from None
    return [_item(f"gate.{name}: {path}, line {number}", line) for number, line in enumerate(lines, 1) if line.strip()]


def _item(where: str, line: str) -> tuple[tuple[Message, ...], str]:
    try:
        found: Any = json.loads(line)
    except ValueError:
        raise SetUnreadable(f'{where} is not JSON; write {{"prompt": "...", "target": "..."}}') from None
    if not isinstance(found, dict) or not isinstance(found.get("target"), str) or not found["target"].strip():
        raise SetUnreadable(f"{where} has no text `target`; write what the answer should be")
    if isinstance(found.get("prompt"), str) and found["prompt"].strip():
        return (Message("user", found["prompt"]),), found["target"]
    try:
        return parse_messages(found.get("messages")), found["target"]
    except BadRequest as error:
        raise SetUnreadable(f"{where} has neither a text `prompt` nor `messages` that can be read: {error}") from None
