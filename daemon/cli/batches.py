"""`adaptd batches`: what each task's batch waits for, and the batches that became updates."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from daemon.actions.batches import list_batches
from daemon.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, UrlOption, ask, out, print_json


def batches(
    task: Annotated[str | None, typer.Option(help="Only this task's.")] = None,
    limit: Annotated[int, typer.Option(help="How many that were begun, newest first.", min=1, max=1000)] = 20,
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """What each task's next batch waits for, and the batches that became updates."""
    query = f"?limit={limit}" + (f"&task={quote(task)}" if task else "")
    found = ask(config, url, "GET", f"/v1/batches{query}", lambda context: list_batches(context, task, limit))
    if as_json:
        print_json(found)
        return
    for one in found["now"]:
        out.print(f"{one['task']}: {one['state']}, {one['reason']}", soft_wrap=True)
    if not found["begun"]:
        out.print("no batch has become an update yet")
        return
    for one in found["begun"]:
        size = f"{one['size']} examples of {one['users']} users, at most {one['most_of_one_user']} of one"
        out.print(f"{one['at'][:19]}  {one['task']}  {one['update']}: {size} (cap {one['cap']})", soft_wrap=True)
        out.print(f"    {one['reason']}", style="dim", soft_wrap=True)
