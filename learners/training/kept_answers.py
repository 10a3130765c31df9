"""What adapters said to earlier judgings, kept in files, so that a champion need not answer the same prompts again.

A champion is judged against every candidate, and a held candidate is looked at up to three times, on prompts that
hardly change; greedy answers do not change at all. So answers are kept by what decides them: the adapter (a hash of
base and files), the prompt, and how it was sampled; likelihoods by adapter, prompt and text.

One file an adapter, `<identity>.jsonl` in the folder `jobs/answers` of the artifacts. The newest 8 files stay, each
with the 4,000 entries used last. A line holds a hash of prompt and sampling, and the answer; it names no user and no
prompt, but an answer may repeat what a user wrote: **whoever erases a user deletes the folder whole**. It is safe to
lose at any time, also while a job runs: what is not there is asked again. A line that cannot be read is passed over.

Only greedy answers are kept; one that is drawn at random would be drawn only once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from learners.engines.client import Answer, Scored
from learners.engines.wire import Sampling
from learners.job_files import write_whole
from storage.records import Message, codec

MOST_FILES = 8
MOST_ENTRIES = 4000
_NAME_CHARS = 40


class KeptAnswers:
    """The kept answers of one adapter; without a folder or an identity, those of this job alone."""

    def __init__(self, folder: str | None, identity: str | None) -> None:
        self._path = Path(folder) / f"{identity[:_NAME_CHARS]}.jsonl" if folder and identity else None
        self._entries: dict[str, dict[str, Any]] = dict(_read(self._path)) if self._path else {}
        self.found = 0

    def answer(self, messages: Sequence[Message], sampling: Sampling) -> Answer | None:
        """What the adapter said to the prompt, where it is known."""
        entry = self._use(_key("answer", codec.to_json(tuple(messages)), repr(sampling).encode()))
        return None if entry is None else Answer(entry["text"], entry["finish_reason"], entry["tokens"])

    def keep_answer(self, messages: Sequence[Message], sampling: Sampling, answer: Answer) -> None:
        if sampling.temperature == 0:
            self._entries[_key("answer", codec.to_json(tuple(messages)), repr(sampling).encode())] = asdict(answer)

    def scored(self, messages: Sequence[Message], text: str) -> Scored | None:
        """How likely the adapter held the text, where it is known."""
        entry = self._use(_key("score", codec.to_json(tuple(messages)), text.encode()))
        return None if entry is None else Scored(entry["nll"], entry["tokens"], entry["entropy"])

    def keep_scored(self, messages: Sequence[Message], text: str, scored: Scored) -> None:
        self._entries[_key("score", codec.to_json(tuple(messages)), text.encode())] = asdict(scored)

    def save(self) -> None:
        """Write the file, and remove what is too much. A disk that refuses costs the next job time and nothing else."""
        if self._path is None:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            kept = list(self._entries.items())[-MOST_ENTRIES:]
            write_whole(self._path, b"".join(json.dumps({"key": k, **v}).encode() + b"\n" for k, v in kept))
            _prune(self._path.parent)

    def _use(self, key: str) -> dict[str, Any] | None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._entries[key] = entry  # used last, dropped last
            self.found += 1
        return entry


def _key(kind: str, *parts: bytes) -> str:
    return hashlib.sha256(b"\0".join([kind.encode(), *parts])).hexdigest()


def _read(path: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        with suppress(ValueError, KeyError, TypeError, AttributeError):  # the last two: not an object
            entry = json.loads(line)
            key = entry.pop("key")
            if entry.keys() in ({"text", "finish_reason", "tokens"}, {"nll", "tokens", "entropy"}):
                yield key, entry


def _prune(folder: Path) -> None:
    """What a killed worker left half-written counts as a file too, and goes with the oldest."""
    files = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[MOST_FILES:]:
        file.unlink(missing_ok=True)
