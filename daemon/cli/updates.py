"""`adaptd updates ...`: list, show, plot, start, cancel, tune."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from rich.table import Table

from daemon.actions.history import UpdateHistory, update_history
from daemon.actions.updates import cancel_update, list_updates, show_update, start_update
from daemon.cli.one_update import lines_of
from daemon.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    OutputOption,
    UrlOption,
    ask,
    out,
    print_json,
)
from daemon.cli.tune import tune
from daemon.errors import NotFound
from daemon.plots import check_plots, draw_update

app = typer.Typer(no_args_is_help=True)
app.command("tune")(tune)
Number = Annotated[int, typer.Argument(help="The update's number.")]


@app.command("list")
def list_(
    task: Annotated[str | None, typer.Option(help="Only this task's.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=1000)] = 20,
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was trained, newest first."""
    query = f"?limit={limit}" + (f"&task={quote(task)}" if task else "")
    found = ask(config, url, "GET", f"/v1/updates{query}", lambda context: list_updates(context, task, limit))
    if as_json:
        print_json(found)
        return
    if not found:
        out.print("no updates yet; `adaptd status` says what each batch waits for")
        return
    table = Table("update", "task", "state", "candidate", "against", "batch", "reason", box=None)
    for one in found:
        size = f"{one['batch_size']} of {one['pool_size']}"
        number = str(one["update_id"])
        table.add_row(number, one["task"], one["state"], one["candidate"] or "-", one["champion"], size, one["reason"])
    out.print(table)


@app.command()
def show(
    number: Number, config: ConfigOption = DEFAULT_CONFIG, url: UrlOption = None, as_json: JsonOption = False
) -> None:
    """One update: rows by method, losses, looks and verdict; with --json everything that is known of it."""
    found = ask(config, url, "GET", f"/v1/updates/{number}", lambda context: show_update(context, number))
    if as_json:
        print_json(found)
        return
    for line in lines_of(found):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command()
def start(
    task: Annotated[str, typer.Argument(help="The task to train.")],
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = None,
) -> None:
    """Begin an update with what there is, as soon as the fewest examples that a batch may have are there."""
    path = f"/v1/updates?task={quote(task)}"
    found = ask(config, url, "POST", path, lambda context: start_update(context, task))
    out.print(f"an update of {task} begins: {found['reason']}", soft_wrap=True)


@app.command()
def cancel(number: Number, config: ConfigOption = DEFAULT_CONFIG, url: UrlOption = None) -> None:
    """End an update; its examples go back to the pool."""
    path = f"/v1/updates/{number}/cancel"
    ask(config, url, "POST", path, lambda context: cancel_update(context, number))
    out.print(f"update {number} is being cancelled")


@app.command()
def plot(
    number: Annotated[int | None, typer.Argument(help="The update's number; left out: the newest.")] = None,
    output: OutputOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = None,
) -> None:
    """Draw one update: losses of train and dev with the best step, rewards of its feedback, what the gate read."""
    check_plots(output or Path("update.png"))
    if number is None:
        newest = ask(config, url, "GET", "/v1/updates?limit=1", lambda context: list_updates(context, None, 1))
        if not newest:
            raise NotFound("there is no update yet; `adaptd status` says what each batch waits for")
        number = int(newest[0]["update_id"])
    wanted = number
    path = f"/v1/updates/{wanted}/history"
    found = ask(config, url, "GET", path, lambda context: update_history(context, wanted))
    target = output or Path(f"update-{wanted}.png")
    draw_update(UpdateHistory.model_validate(found), target)
    out.print(f"{target} written", soft_wrap=True)
