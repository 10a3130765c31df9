"""`adaptd tasks`: what is learned, and how far each task is; `adaptd tasks plot` draws one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from daemon.actions.history import TaskHistory, task_history
from daemon.actions.rebase import rebase_task
from daemon.actions.status import status as read_status
from daemon.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    OutputOption,
    UrlOption,
    ask,
    out,
    points,
    print_json,
    print_whole,
)
from daemon.cli.trends import trend_in_words
from daemon.plots import check_plots, draw_task

app = typer.Typer()
Task = Annotated[str, typer.Argument(help="The task's name.")]


@app.callback(invoke_without_command=True)
def tasks(
    context: typer.Context,
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every task with its champion, its learners, its next batch and whether it gets better."""
    if context.invoked_subcommand is not None:
        return
    found = ask(config, url, "GET", "/v1/status", read_status)["tasks"]
    if as_json:
        print_json(found)
        return
    table = Table(
        "task", "champion", "score", "score trend", "reward trend", "learners", "tuned", "batch", "gate", box=None
    )
    for name, task in found.items():
        table.add_row(name, *_columns(task))
    print_whole(table)


@app.command()
def plot(task: Task, output: OutputOption = None, config: ConfigOption = DEFAULT_CONFIG, url: UrlOption = None) -> None:
    """Draw a task: scores by version, gain of each update, learners that were on, rewards, batches, curriculum."""
    target = output or Path(f"task-{re.sub(r'[^A-Za-z0-9._-]', '-', task)}.png")
    check_plots(target)
    found = ask(config, url, "GET", f"/v1/history?task={quote(task)}", lambda context: task_history(context, task))
    draw_task(TaskHistory.model_validate(found), target)
    out.print(f"{target} written", soft_wrap=True)


@app.command()
def rebase(
    task: Task, config: ConfigOption = DEFAULT_CONFIG, url: UrlOption = None, as_json: JsonOption = False
) -> None:
    """After model.base was changed: begin the new line now, from everything learned, while the old champion serves."""
    path = f"/v1/rebase?task={quote(task)}"
    found = ask(config, url, "POST", path, lambda context: rebase_task(context, task), writing=True)
    if as_json:
        print_json(found)
        return
    out.print(
        f"update {found['update_id']} trains {task} on the base {found['base'][:8]} from {found['learned']} learned "
        f"examples; {found['serving']} serves until the new line has a champion",
        soft_wrap=True,
    )


def _columns(task: dict[str, Any]) -> list[str]:
    champion = task["champion"] or {"adapter": "-", "score": None}
    learners = ", ".join(learner for learner, state in task["learners"].items() if state not in (False, "off"))
    batch = f"{task['batch']['have']} of {task['batch']['need']}" if task["batch"] else "-"
    gate = _gate(task["gate"]) if task.get("gate") else "off"
    trends = [trend_in_words(task["trend"][of]) for of in ("scores", "rewards")]
    return [champion["adapter"], points(champion["score"]), *trends, learners or "-", task["tuned"] or "-", batch, gate]


def _gate(gate: dict[str, Any]) -> str:
    """Its prompts, and the gain that a first look finds in 80 % of cases."""
    sees = "too few" if gate["detects"] is None else f"detects {points(gate['detects'])} points"
    return f"{gate['prompts']} prompts, {sees}"
