"""`adaptd updates tune TASK`: how the search for a task's settings stands; `--trials` asks for one and follows it.

The search is the daemon's and goes on whoever watches: Ctrl-C ends the watching alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from daemon.actions.tuning import end_search, reset_tuning, show_tuning, words_of
from daemon.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    UrlOption,
    address,
    ask,
    notes,
    out,
    print_json,
    request,
)
from daemon.errors import UsageError

LOOK_EVERY_S = 1.0

Trials = Annotated[int | None, typer.Option(help="Ask for a study of so many trials, and follow it.", min=4, max=1000)]


def tune(
    task: Annotated[str, typer.Argument(help="The task.")],
    trials: Trials = None,
    wait: Annotated[bool, typer.Option(help="Follow the study to its end.")] = True,
    reset: Annotated[bool, typer.Option("--reset", help="Put the configured settings back in force.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End the open study.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Settings searched in idle time: what is tried, what is in force, and where it comes from."""
    if (trials is not None) + reset + cancel > 1:
        raise UsageError("--trials, --reset and --cancel are three different wishes; say one of them")
    path = f"/v1/tuning?task={quote(task, safe='')}"
    if reset:
        found = ask(config, url, "POST", _at(path, "reset"), lambda context: reset_tuning(context, task), writing=True)
    elif cancel:
        found = ask(config, url, "POST", _at(path, "cancel"), lambda context: end_search(context, task), writing=True)
    elif trials is not None:
        found = request(url or address(config), "POST", f"{path}&trials={trials}")
        found = _follow(url or address(config), path, found) if wait else found
    else:
        found = ask(config, url, "GET", path, lambda context: show_tuning(context, task))
    if as_json:
        print_json(found)
        return
    for line in lines_of(found):
        out.print(line, soft_wrap=True)


def _at(path: str, what: str) -> str:
    return path.replace("/v1/tuning", f"/v1/tuning/{what}", 1)


def _follow(url: str, path: str, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Until the study has come to its end."""
    study = found["study"]["study_id"]
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    try:
        with Progress(*columns, console=notes, transient=True) as progress:
            bar = progress.add_task("searching", total=found["study"]["wanted"])
            while found["study"]["study_id"] == study and found["study"]["state"] == "open":
                one = found["study"]
                progress.update(bar, completed=one["done"], total=one["wanted"], description=found["now"])
                time.sleep(LOOK_EVERY_S)
                found = request(url, "GET", path)
    except KeyboardInterrupt:
        notes.print(f"study {study} goes on in the daemon; `adaptd updates tune {found['task']}` shows how it stands")
        raise
    return found


def lines_of(found: Mapping[str, Any]) -> Iterator[str]:
    """The status in words."""
    values = ", ".join(f"{name} {_number(value)}" for name, value in found["settings"].items())
    yield f"{found['task']}: {found['method']} with {values or 'nothing to tune'} ({found['origin']})"
    yield f"  search: {found['now'] if found['on'] else 'off (learners.hyperparameters)'}"
    if study := found["study"]:
        yield f"  study {study['study_id']} of {study['method']}: {study['state']}, {study['done']} of " + (
            f"{study['wanted']} trials: {study['reason']}"
        )
        if study["best"]:
            yield f"    best so far: {words_of(study['best']['settings'])}: {study['best']['value']:.4g}"
        if Path(found["journal"]).exists():
            yield f"    look into it: optuna-dashboard {found['journal']}   (study {study['optuna_name']})"
    for tuning in found["tunings"]:
        settings = words_of(tuning["settings"]) or "as configured"
        state = f"not in force: {tuning['not_in_force']}" if tuning["not_in_force"] else "in force"
        yield f"  version {tuning['version']}, since {tuning['since'][:16]}: {settings}; {state}"
        yield f"    {tuning['reason']}"


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
