"""`adaptd events ...`: what came in lately, and what could not be read."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, urlencode

import typer
from rich.table import Table

from daemon.actions.events import list_dead_letters, list_events
from daemon.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    UrlOption,
    ask,
    out,
    points,
    print_json,
    print_whole,
)

app = typer.Typer(no_args_is_help=True)
TaskOption = Annotated[str | None, typer.Option(help="Only this task's.")]
LimitOption = Annotated[int, typer.Option(help="How many, newest first.", min=1, max=1000)]


@app.command("list")
def list_(
    task: TaskOption = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind, such as correction.")] = None,
    limit: LimitOption = 20,
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stored events, newest first, without what they say."""
    path = "/v1/events?" + _query(limit=limit, task=task, kind=kind)
    found = ask(config, url, "GET", path, lambda context: list_events(context, task, kind, limit))
    if as_json:
        print_json(found)
        return
    if not found:
        out.print("no events yet; docs/quickstart.md sends the first")
        return
    table = Table("received", "kind", "task", "signal of 100", "fold", "event", "interaction", box=None)
    for one in found:
        signal, fold = points(one["signal"]), one["fold"] or "-"
        ids = (one["event_id"], one["interaction_id"])
        table.add_row(one["received_at"][:19], one["kind"], one["task"], signal, fold, *ids)
    print_whole(table)


@app.command("dead-letters")
def dead_letters(
    task: TaskOption = None,
    limit: LimitOption = 20,
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """What could not be read, newest first: why, and where the message stands. Its text is not kept."""
    path = "/v1/dead-letters?" + _query(limit=limit, task=task)
    found = ask(config, url, "GET", path, lambda context: list_dead_letters(context, task, limit))
    if as_json:
        print_json(found)
        return
    if not found:
        out.print("no dead letters: everything that came could be read")
        return
    table = Table("received", "source", "position", "bytes", "reason", "shape", box=None)
    for one in found:
        position = "-" if one["position"] is None else str(one["position"])
        where = (one["source"] or "-", position, str(one["size_bytes"]))
        table.add_row(one["received_at"][:19], *where, one["reason"], one["excerpt"])
    print_whole(table)


def _query(**wanted: object) -> str:
    return urlencode({name: value for name, value in wanted.items() if value is not None}, quote_via=quote)
