"""Scores an answer that must be Python: does it parse, does it say something, does it define what was asked for.

Nothing is ever executed, imported or compiled to code: the text is parsed by `ast`, by the grammar of the Python that
adaptd runs on. The sub-checks, each worth the same:

- *parses*: the answer, or what stands in the code fence around all of it, is a Python module.
- *statements*: at least one statement of it does something. A bare name, constant or docstring does not: a word of
  prose such as `No` parses as well.
- *whole*: no function has a body of nothing but `pass`, `...` or a docstring (an `@overload` or `@abstractmethod`
  may), and no comment holds TODO or FIXME.
- *defines:<name>* for each name in `defines`: a function, a class or an assignment of that name at the top level.

The score is the share of sub-checks that hold; an answer passes when all do. Limits: whether the code works is not
judged, nor whether what it uses exists. An answer over 50,000 characters, or one that is nested deeper than the parser
can follow, does not parse.
"""

from __future__ import annotations

import ast
import io
import threading
import tokenize
import warnings
from collections.abc import Iterator
from typing import Final

from pydantic import field_validator

from learners.fences import unfenced
from storage.records.settings import Settings as BaseSettings
from storage.records.settings import setting

from . import Validated

MAX_CHARS: Final = 50_000

_MAY_BE_EMPTY: Final = frozenset(("overload", "abstractmethod"))
_UNFINISHED: Final = ("TODO", "FIXME")
_parsing = threading.Lock()  # what is warned of is decided for the whole process


class Settings(BaseSettings):
    """What the code must hold."""

    defines: tuple[str, ...] = setting((), doc="Names of functions, classes or variables that it must define.")

    @field_validator("defines")
    @classmethod
    def _are_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not name.isidentifier():
                raise ValueError(f"{name!r:.60} can be no name in Python")
        return names


def open(settings: Settings) -> PythonSyntax:
    """The validator with these settings."""
    return PythonSyntax(settings)


class PythonSyntax:
    """The validator. Threads may share it; they parse in turn."""

    def __init__(self, settings: Settings) -> None:
        self._defines = settings.defines

    def validate(self, prompt: str, answer: str) -> Validated:
        """Judge `answer` by its syntax; the prompt plays no part. Never raises."""
        del prompt
        source = unfenced(answer) if len(answer) <= MAX_CHARS else ""
        tree = _parse(source)
        defined = set() if tree is None else set(_defined(tree))
        checks = {
            "parses": tree is not None,
            "statements": tree is not None and any(map(_does_something, tree.body)),
            "whole": tree is not None and _is_whole(tree, source),
            **{f"defines:{name}": name in defined for name in self._defines},
        }
        parts = {name: float(holds) for name, holds in checks.items()}
        return Validated(sum(parts.values()) / len(parts), all(checks.values()), checks, parts)


def _parse(source: str) -> ast.Module | None:
    """None for what is no Python, and for nothing at all."""
    if not source:
        return None
    try:
        with _parsing, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they would quote the answer; and as errors they would refuse good code
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _does_something(statement: ast.stmt) -> bool:
    return not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant | ast.Name))


def _is_whole(tree: ast.Module, source: str) -> bool:
    return not any(_is_hollow(node) for node in ast.walk(tree)) and not _says_unfinished(source)


def _is_hollow(node: ast.AST) -> bool:
    """A function without a body of its own."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    if any(_last_name(decorator) in _MAY_BE_EMPTY for decorator in node.decorator_list):
        return False
    return not any(_is_work(statement) for statement in node.body)


def _is_work(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass):
        return False
    return not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))


def _last_name(decorator: ast.expr) -> str:
    if isinstance(decorator, ast.Attribute):
        return decorator.attr
    return decorator.id if isinstance(decorator, ast.Name) else ""


def _says_unfinished(source: str) -> bool:
    """In a comment; a string may say what it likes."""
    if not any(word in source for word in _UNFINISHED):
        return False
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, SyntaxError, RecursionError):
        return True  # the word is there, and nobody can say that it is not in a comment
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    return any(word in comment for comment in comments for word in _UNFINISHED)


def _defined(tree: ast.Module) -> Iterator[str]:
    """Names that the module gives a value at its top level."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        for target in targets:
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
