"""Structured logs on standard error. What is logged is chosen by each loop; user text and ids never are (I8)."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from daemon.errors import UsageError

FORMATS = ("text", "json")


def configure_logs(log_format: str) -> None:
    """Once, at the start of a process. Raises UsageError for a format that there is not."""
    if log_format not in FORMATS:
        raise UsageError(f"--log-format {log_format}: choose one of {', '.join(FORMATS)}")
    first: list[Any] = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    last = [structlog.processors.format_exc_info, _renderer(log_format)]
    logging.basicConfig(level=logging.WARNING, handlers=[_of_libraries(first, last)])
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _renderer(log_format: str) -> Any:
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    plain = structlog.dev.plain_traceback  # the richer one shows variables, which may hold user text
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)


def _of_libraries(first: list[Any], last: list[Any]) -> logging.Handler:
    """What libraries say through `logging`, in the same form."""
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(sys.stderr)
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[strip, *last], foreign_pre_chain=[structlog.stdlib.add_logger_name, *first]
    )
    handler.setFormatter(formatter)
    return handler
