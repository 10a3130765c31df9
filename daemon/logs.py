"""Structured logs on standard error. What is logged is chosen by each loop; user text and ids never are (I8).

Of an exception only its kind and the places it came through are written, because its own words may quote a user.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

from daemon.errors import UsageError

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")


def configure_logs(log_format: str, log_level: str = "info") -> None:
    """Once, at the start of a process. Raises UsageError for a format or level that there is not.

    Libraries are heard from `warning` on, and at `debug` from `info` on.
    """
    if log_format not in FORMATS:
        raise UsageError(f"--log-format {log_format}: choose one of {', '.join(FORMATS)}")
    if log_level not in LEVELS:
        raise UsageError(f"--log-level {log_level}: choose one of {', '.join(LEVELS)}")
    level = getattr(logging, log_level.upper())
    first: list[Any] = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    last = [_without_words, _renderer(log_format)]
    of_libraries = logging.INFO if log_level == "debug" else max(level, logging.WARNING)
    logging.basicConfig(level=of_libraries, handlers=[_of_libraries(first, last)])
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _renderer(log_format: str) -> Any:
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _without_words(_logger: Any, _method: str, said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """`exc_info` as text: the frames and the kinds of the errors, neither their words nor anybody's variables."""
    given = said.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else given[1] if isinstance(given, tuple) else None
    if given is True:
        error = sys.exc_info()[1]
    chain: list[str] = []
    while error is not None:
        frames = "".join(traceback.format_tb(error.__traceback__))
        chain.append(f"{frames}{type(error).__name__} (its words are left out)")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if chain:
        said["exception"] = "\nbecause of\n".join(chain)
    return said


def _of_libraries(first: list[Any], last: list[Any]) -> logging.Handler:
    """What libraries say through `logging`, in the same form."""
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(sys.stderr)
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[strip, *last], foreign_pre_chain=[structlog.stdlib.add_logger_name, *first]
    )
    handler.setFormatter(formatter)
    return handler
