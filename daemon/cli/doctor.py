"""`adaptd doctor`: is everything there that a daemon needs?"""

from __future__ import annotations

import typer
from rich.text import Text

from daemon.actions.doctor import diagnose
from daemon.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, SetOption, out, plain, print_json
from daemon.reload import ConfigSource

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(config: ConfigOption = DEFAULT_CONFIG, settings: SetOption = None, as_json: JsonOption = False) -> None:
    """Look at the environment, the config and what it names, and say what to mend. Changes nothing."""
    found = diagnose(ConfigSource(config, tuple(settings or ())))
    if as_json:
        print_json(plain(found))
    else:
        for check in found.checks:
            out.print(Text(f"{check.state:5}", COLOURS[check.state]), f"{check.name}: {check.words}", soft_wrap=True)
    raise typer.Exit(found.exit_code)
