"""`adaptd run`: the daemon in the foreground."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from daemon.app import ROLES, App
from daemon.cli.options import DEFAULT_CONFIG, ConfigOption, SetOption
from daemon.logs import LEVELS, configure_logs
from daemon.names import require_own_names
from daemon.reload import ConfigSource

GC_AFTER = (50_000, 20, 20)  # records hold no cycles; at Python's own 700, looking for some is a fifth of intake's time


def run(
    config: ConfigOption = DEFAULT_CONFIG,
    role: Annotated[str, typer.Option(help=f"Comma-separated parts to run, of {', '.join(ROLES)}.")] = ",".join(ROLES),
    settings: SetOption = None,
    log_format: Annotated[str, typer.Option(help="`text` for people, `json` for machines.")] = "text",
    log_level: Annotated[str, typer.Option(help=f"The least that is said, of {', '.join(LEVELS)}.")] = "info",
) -> None:
    """Run the daemon until SIGTERM or Ctrl-C."""
    configure_logs(log_format, log_level)
    require_own_names()
    gc.set_threshold(*GC_AFTER)
    source = ConfigSource(config, tuple(settings or ()))
    App(source.load(), [part.strip() for part in role.split(",") if part.strip()], source=source).run()
