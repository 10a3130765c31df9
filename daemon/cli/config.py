"""`adaptd config ...`: check, show, schema."""

from __future__ import annotations

import json

import typer
from rich.table import Column, Table

from daemon.actions.config import check_config, config_schema, show_config
from daemon.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, SetOption, out, plain, print_json
from daemon.reload import ConfigSource

app = typer.Typer(no_args_is_help=True)
COLUMNS = ("setting", "value", "said by", "takes effect")


@app.command()
def check(config: ConfigOption = DEFAULT_CONFIG, settings: SetOption = None) -> None:
    """Say every fault of the file, each with its line, or that there is none."""
    found = check_config(ConfigSource(config, tuple(settings or ())))
    tasks, sources = ", ".join(found.tasks) or "none", ", ".join(found.sources) or "none"
    out.print(f"{found.path} is in order: tasks {tasks}; sources {sources}", soft_wrap=True)


@app.command()
def show(config: ConfigOption = DEFAULT_CONFIG, settings: SetOption = None, as_json: JsonOption = False) -> None:
    """Every setting in force, and who says so: default, file, variable or flag."""
    found = plain(show_config(ConfigSource(config, tuple(settings or ()))))
    if as_json:
        print_json(found)
        return
    key, *others = COLUMNS
    table = Table(Column(key, no_wrap=True), *(Column(name, overflow="fold") for name in others), box=None)
    for one in found:
        effect = "at once" if one["live"] else "at a restart"
        table.add_row(one["key"], json.dumps(one["value"], ensure_ascii=False), one["origin"], effect)
    out.print(table)


@app.command()
def schema() -> None:
    """The file's JSON Schema, for editors that complete and check YAML."""
    print_json(config_schema())
