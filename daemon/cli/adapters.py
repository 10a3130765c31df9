"""`adaptd adapters ...`: list, show, promote, roll back."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer
from rich.table import Table

from daemon.actions.adapters import list_adapters, promote_adapter, roll_back, show_adapter
from daemon.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, UrlOption, ask, out, points, print_json

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="An adapter, such as erd@v3.")]


@app.command("list")
def list_(
    task: Annotated[str | None, typer.Option(help="Only this task's.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every adapter, by task and version."""
    query = f"?task={quote(task)}" if task else ""
    found = ask(config, url, "GET", f"/v1/adapters{query}", lambda context: list_adapters(context, task))
    if as_json:
        print_json(found)
        return
    if not found:
        out.print("no adapters yet; the first comes with the first update of a daemon that learns")
        return
    table = Table("adapter", "state", "score of 100", "made from", "update", "made at", box=None)
    for one in found:
        update = str(one["update_id"] or "-")
        score = points(one["score"]) + ("" if one["comparable"] else "*")
        table.add_row(one["name"], one["state"], score, one["parent"] or "-", update, one["created_at"][:19])
    out.print(table)
    if not all(one["comparable"] for one in found):
        out.print("* by an earlier validator or another measure: not to be compared with the newest scores of its task")


@app.command()
def show(name: Name, config: ConfigOption = DEFAULT_CONFIG, url: UrlOption = None) -> None:
    """Everything known of one adapter, as JSON."""
    print_json(ask(config, url, "GET", f"/v1/adapters/{quote(name)}", lambda context: show_adapter(context, name)))


@app.command()
def promote(name: Name, config: ConfigOption = DEFAULT_CONFIG, url: UrlOption = None) -> None:
    """Make an adapter the champion by hand; the gate is not asked."""
    path = f"/v1/promote?adapter={quote(name)}"
    found = ask(config, url, "POST", path, lambda context: promote_adapter(context, name), writing=True)
    out.print(f"{found['name']} is the champion of {found['task']}")


@app.command()
def rollback(
    task: Annotated[str, typer.Argument(help="The task to roll back.")],
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = None,
) -> None:
    """Bring back the champion before this one, whatever its version; this one is not come back to."""
    path = f"/v1/rollback?task={quote(task)}"
    found = ask(config, url, "POST", path, lambda context: roll_back(context, task), writing=True)
    out.print(f"{found['name']} is the champion of {task} again")
