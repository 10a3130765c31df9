"""`adaptd learners ...`: list, enable, disable. They work on adaptd.yaml, which a running daemon follows."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.table import Table

from daemon.actions.learners import LearnerView, Switched, list_learners, switch_learner
from daemon.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    UrlOption,
    address,
    notes,
    out,
    plain,
    print_json,
    request,
)
from daemon.errors import AdaptdError, Denied
from daemon.reload import ConfigSource

app = typer.Typer(no_args_is_help=True)
Learner = Annotated[str, typer.Argument(help="Which one; `adaptd learners list` shows them.")]
Task = Annotated[str | None, typer.Option(help="Only this task; left out: all that do not say otherwise.")]


@app.command("list")
def list_(
    task: Annotated[str | None, typer.Option(help="Only this task's.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """What is on for each task, where that is said, and what a running daemon has in force."""
    running = _in_force(url or address(config))
    found = [_with_force(view, running) for view in list_learners(ConfigSource(config), task)]
    if as_json:
        print_json(found)
        return
    table = Table("task", "learner", "state", "said by", box=None)
    for one in found:
        behind = "" if one["in_force"] in (None, one["value"]) else f" (the daemon has {_word(one['in_force'])})"
        table.add_row(one["task"], one["learner"], _word(one["value"]) + behind, one["origin"])
    out.print(table)


@app.command()
def enable(learner: Learner, task: Task = None, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Turn one on."""
    _tell(switch_learner(ConfigSource(config), learner, True, task), str(config))


@app.command()
def disable(learner: Learner, task: Task = None, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Turn one off."""
    _tell(switch_learner(ConfigSource(config), learner, False, task), str(config))


def _in_force(url: str) -> dict[str, Any]:
    """Learners by task, of the daemon that runs; none where none answers."""
    with suppress(AdaptdError):
        return {name: task["learners"] for name, task in request(url, "GET", "/v1/status")["tasks"].items()}
    return {}


def _with_force(view: LearnerView, running: dict[str, Any]) -> dict[str, Any]:
    return {**plain(view), "in_force": running.get(view.task, {}).get(view.learner)}


def _tell(switched: Switched, file: str) -> None:
    for note in switched.notes:
        notes.print(note)
    if switched.lines:
        out.print(switched.lines, end="")
        raise Denied(f"{file} cannot be written ({switched.why}); put the lines above into it by hand")
    became = "now; a running daemon follows by itself" if switched.changed else "already; nothing was changed"
    out.print(f"{file}: {switched.key} is {_word(switched.value)} {became}", soft_wrap=True)


def _word(value: bool | str) -> str:
    return value if isinstance(value, str) else "on" if value else "off"
