"""docs/reference/cli.md: every command with its arguments, options and exit codes, from the Typer application.

Reads the functions' own signatures rather than what Typer makes of them, which changes between its versions.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from typer.models import ArgumentInfo, OptionInfo

from daemon.cli.exit_codes import MEANINGS
from daemon.cli.main import app
from docs.generate.markdown import code, page, sentence, table

INTRODUCTION = """
`adaptd COMMAND --help` says the same in the terminal, `adaptd --version` which version it is. Commands that read or
change what a daemon holds ask the running daemon over HTTP; where none answers, reads go to the store of the
configuration, and say so on standard error.
"""
EXIT = """
Errors are one line each on standard error, beginning with `adaptd:`; which error ends with which code is in
[errors.md](errors.md).
"""
_TYPES = {str: "text", int: "whole number", float: "number", Path: "path"}


@dataclass(frozen=True)
class Parameter:
    """One argument or option."""

    name: str
    info: ArgumentInfo | OptionInfo
    annotation: Any
    default: Any

    @property
    def is_argument(self) -> bool:
        return isinstance(self.info, ArgumentInfo)

    @property
    def written(self) -> str:
        """As it is typed: `--task TEXT`, `--hostile / --no-hostile`, `FILES...`."""
        several = typing.get_origin(self._type) is list
        if self.is_argument:
            return code(self.name.upper() + ("..." if several else ""))
        first = [self.info.default] if isinstance(self.info.default, str) else []  # so Typer reads it in Annotated
        names = [name for name in [*first, *(self.info.param_decls or ())] if name.startswith("-")]
        spelt = names or [f"--{self.name.replace('_', '-')}"]
        if self._type is bool:
            return " ".join(map(code, spelt)) if names else f"{code(spelt[0])} {code('--no-' + spelt[0][2:])}"
        return " ".join(map(code, spelt)) + (", repeatable" if several else "")

    @property
    def in_usage(self) -> str:
        """An argument, in brackets where it can be left out."""
        name = self.written.strip("`")
        return name if self.default is inspect.Parameter.empty else f"[{name}]"

    @property
    def takes(self) -> str:
        kind = self._type
        inner = typing.get_args(kind)[0] if typing.get_origin(kind) is list else kind
        if inner is bool:
            return "switch"
        if isinstance(inner, type) and issubclass(inner, Enum):
            return " or ".join(code(str(each.value)) for each in inner)
        bounds = [f"{words} {at:g}" for words, at in (("at least", self.info.min), ("at most", self.info.max)) if at]
        return ", ".join([code(self.info.metavar) if self.info.metavar else _TYPES[inner], *bounds])

    @property
    def default_words(self) -> str:
        if self.default is inspect.Parameter.empty:
            return "required"
        value = self.default.value if isinstance(self.default, Enum) else self.default
        return "" if value is None or value is False else "on" if value is True else code(str(value))

    @property
    def row(self) -> tuple[str, ...]:
        environ = self.info.envvar
        return (
            self.written,
            self.takes,
            self.default_words,
            code(environ) if isinstance(environ, str) else "",
            sentence(self.info.help or ""),
        )

    @property
    def _type(self) -> Any:
        kept = [part for part in typing.get_args(self.annotation) if part is not type(None)]
        return kept[0] if type(None) in typing.get_args(self.annotation) else self.annotation


@dataclass(frozen=True)
class Command:
    """One command by its whole name, such as `adaptd adapters list`."""

    name: str
    callback: Callable[..., Any]

    @property
    def help(self) -> str:
        return inspect.getdoc(self.callback) or ""

    def parameters(self) -> list[Parameter]:
        hints = typing.get_type_hints(self.callback, include_extras=True)
        found = []
        for name, parameter in inspect.signature(self.callback).parameters.items():
            if hints[name] is typer.Context:
                continue
            annotation, info = typing.get_args(hints[name])[:2]
            found.append(Parameter(name, info, annotation, parameter.default))
        return found


def pages() -> Mapping[str, str]:
    parts = [_command(command) for command in all_commands()]
    codes = table(("code", "when"), [(str(number), sentence(words)) for number, words in sorted(MEANINGS.items())])
    whole = page("Command line", INTRODUCTION, *parts, f"## Exit codes\n\n{codes}\n{EXIT.strip()}")
    return {"reference/cli.md": whole}


def all_commands() -> list[Command]:
    """Every command, those of nouns included, in the order of the help."""
    return list(_commands(app, "adaptd"))


def _commands(group: typer.Typer, name: str) -> Iterator[Command]:
    for info in group.registered_commands:
        assert info.callback is not None
        yield Command(f"{name} {info.name or info.callback.__name__.replace('_', '-')}", info.callback)
    for inner in group.registered_groups:
        assert inner.typer_instance is not None and inner.name
        alone = inner.typer_instance.registered_callback
        if alone is not None and alone.callback is not None:
            yield Command(f"{name} {inner.name}", alone.callback)
        yield from _commands(inner.typer_instance, f"{name} {inner.name}")


def _command(command: Command) -> str:
    parameters = command.parameters()
    arguments = [each for each in parameters if each.is_argument]
    usage = " ".join([command.name, *(each.in_usage for each in arguments), "[OPTIONS]"])
    header = ("option", "takes", "default", "variable", "what it does")
    options = table(header, [each.row for each in parameters if not each.is_argument])
    named = table(("argument", *header[1:]), [each.row for each in arguments])
    parts = [f"## {command.name}", sentence(command.help), f"```\n{usage}\n```", named, options]
    return "\n\n".join(part.strip() for part in parts if part)
