"""docs/reference/errors.md: every error that adaptd raises on purpose, from the classes and their docstrings.

A docstring says when the error happens; a paragraph `To do: ...` what helps; a paragraph `Shows as: ...` where it is
seen, for an error that no command ends with and no request is answered with. Roots say that they are roots, and need
neither. Classes are looked for in the source, and only the modules that hold them are imported: torch stays out.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from daemon.api.errors import CODES
from daemon.cli.exit_codes import exit_code_of_kind
from daemon.errors import AdaptdError
from docs.generate.markdown import code, page, sentence, table

ROOT = Path(__file__).resolve().parents[2]
HEADER = ("error", "of", "when", "what to do", "shows as")
ROOMS = {
    "storage": "what is kept",
    "consumers": "what comes in",
    "learners": "how it learns",
    "daemon": "what runs",
    "examples": "the demo",
}
EXIT_ALONE = "its exit code alone."
INTRODUCTION = """
Whatever adaptd raises on purpose is an `AdaptdError`. Its text says what was wrong, where, and what to do, and never
holds what a user wrote. This page says the same by kind: when it happens, what to do, and how it shows: as the exit
code of a command, as the HTTP status of a request (`{"error": "..."}` is the body), or as what the row says.

Anything else that is raised is a fault of adaptd: exit code 1 or status 500, and a line in the log that names its
place in the code.
"""


@dataclass(frozen=True)
class ErrorKind:
    """One class."""

    kind: type[AdaptdError]

    @property
    def is_root(self) -> bool:
        """Whether it only gathers others; it may still be raised, where its docstring says `itself`."""
        return bool(re.match(r"(The )?[Rr]oot of", self.when)) and "itself" not in self.when

    @property
    def when(self) -> str:
        paragraphs = [text for text in self._paragraphs if not text.startswith(("To do:", "Shows as:"))]
        return " ".join(paragraphs)

    @property
    def to_do(self) -> str:
        return self._marked("To do:")

    @property
    def shows(self) -> str:
        """Its own words, else the codes of command line and API."""
        own = self._marked("Shows as:")
        if own and own != EXIT_ALONE:
            return sentence(own)
        if own:
            return f"exit code {exit_code_of_kind(self.kind)}"
        status = next(status for base, status, _ in CODES if issubclass(self.kind, base))
        return f"exit code {exit_code_of_kind(self.kind)}, HTTP {status}"

    @property
    def lacks(self) -> str:
        """What its author still has to say; empty where nothing is missing."""
        if not vars(self.kind).get("__doc__") or not self.when:
            return "a docstring: when it happens"
        return "" if self.to_do or self.is_root else "a paragraph `To do: ...` in its docstring"

    @property
    def row(self) -> tuple[str, ...]:
        return (code(self.kind.__name__), code(self.kind.__module__), self.when, sentence(self.to_do), self.shows)

    @property
    def _paragraphs(self) -> list[str]:
        return [" ".join(text.split()) for text in re.split(r"\n\s*\n", inspect.getdoc(self.kind) or "")]

    def _marked(self, mark: str) -> str:
        return next((text.removeprefix(mark).strip() for text in self._paragraphs if text.startswith(mark)), "")


def pages() -> Mapping[str, str]:
    parts = [_room(room, words) for room, words in ROOMS.items()]
    return {"reference/errors.md": page("Errors", INTRODUCTION, *parts)}


@lru_cache(maxsize=1)
def all_errors() -> tuple[ErrorKind, ...]:
    """Every class under AdaptdError in the rooms, by module and name."""
    classes = dict(_classes())
    names = {AdaptdError.__name__}
    while more := {name for (_, name), bases in classes.items() if bases & names} - names:
        names |= more
    found = []
    for (module, name), bases in sorted(classes.items()):
        if bases & names:
            kind = getattr(importlib.import_module(module), name)
            assert issubclass(kind, AdaptdError), f"{module}.{name}"
            found.append(ErrorKind(kind))
    return tuple(found)


def _classes() -> Iterator[tuple[tuple[str, str], set[str]]]:
    """Every class by module and name, with the names of its bases as they are written."""
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    yield (module, node.name), {ast.unparse(base).rpartition(".")[2] for base in node.bases}


def _room(room: str, words: str) -> str:
    kinds = [each for each in all_errors() if each.kind.__module__.split(".")[0] == room]
    rows = [each.row for each in kinds if not each.is_root]
    return f"## {room}: {words}\n\n{table(HEADER, rows)}" if rows else ""
