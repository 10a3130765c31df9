"""`adaptd status`: how everything stands, at a glance."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from daemon.actions.status import status as read_status
from daemon.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, UrlOption, ask, out, points, print_json
from daemon.cli.trends import trend_line

MOST_KINDS = 12  # of failure, in the line of a task


def status(config: ConfigOption = DEFAULT_CONFIG, url: UrlOption = None, as_json: JsonOption = False) -> None:
    """How everything stands: sources, events, and for each task champion, batch and updates."""
    found = ask(config, url, "GET", "/v1/status", read_status)
    if as_json:
        print_json(found)
    else:
        print_status(found)


def print_status(found: dict[str, Any]) -> None:
    """For people."""
    _print_daemon(found)
    for name, task in found["tasks"].items():
        _print_task(name, task)


def _print_daemon(found: dict[str, Any]) -> None:
    state = Text("ready", "green") if found["ready"] else Text(f"not ready: {'; '.join(found['not_ready'])}", "yellow")
    out.print(f"adaptd {found['version']} ", state, "".join(f" {role}" for role in found["roles"]))
    if found["config"]["last_reload"] != "ok":
        out.print(f"config   not reloaded: {found['config']['last_reload']}", style="yellow", soft_wrap=True)
    for key in found["config"]["needs_restart"]:
        out.print(f"config   {key}: needs a restart", style="yellow")
    events = found["events"]
    out.print("events   " + ", ".join(_counted(events, always=("received", "stored"))))
    for source in found["sources"]:
        lag = "" if source["lag"] is None else f", {source['lag']} behind"
        reason = f": {source['reason']}" if source["reason"] else ""
        out.print(f"source   {source['name']} {source['state']}{lag}{reason}")
    for name, state in found["services"].items():
        out.print(f"service  {name} {state}")


def _at(running: dict[str, Any]) -> str:
    """Such as `; sft, medium: 40 of 75, loss 0.84`."""
    progress = running.get("progress")
    if not progress:
        return ""
    where = ", ".join(part for part in (progress["phase"], progress["stage"]) if part)
    loss = "" if progress["loss"] is None else f", loss {progress['loss']:.3g}"
    return f"; {where}{': ' if where else ''}{progress['done']} of {progress['total']}{loss}"


def _counted(counts: dict[str, int], always: tuple[str, ...]) -> list[str]:
    """Such as `12 stored`; those that are 0 are left out, but for some."""
    return [f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count or name in always]


def _failure(one: dict[str, Any]) -> str:
    """Such as `12 check:keys`; what is not simply open says so."""
    state = "" if one["state"] == "open" else f" ({one['state']})"
    return f"{one['count']} {one['kind']}{state}"


def _failures(kinds: list[dict[str, Any]]) -> str:
    """The first few, which need looking at most, and how many more there are."""
    more = f" and {len(kinds) - MOST_KINDS} more kinds" if len(kinds) > MOST_KINDS else ""
    return ", ".join(_failure(one) for one in kinds[:MOST_KINDS]) + more


def _print_task(name: str, task: dict[str, Any]) -> None:
    table = Table(title=f"task {name}", title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    champion = task["champion"]
    if champion:
        serving = "in service" if champion["serving"] else "not in service yet"
        table.add_row("champion", f"{champion['adapter']}, {points(champion['score'])} of 100, {serving}")
    if trend := trend_line(task["trend"]):
        table.add_row("trend", trend)
    if examples := _counted(task["examples"], always=("open",)):
        table.add_row("examples", ", ".join(examples))
    if task["batch"]:
        table.add_row("batch", task["batch"]["reason"])
    if task["failures"]:
        table.add_row("failures", f"{_failures(task['failures'])}; adaptd failures {name} says more")
    running = task["updates"]["running"]
    if running:
        table.add_row("update", f"{running['update_id']} {running['state']} since {running['since']}{_at(running)}")
    totals = task["updates"]["totals"]
    table.add_row("updates", ", ".join(f"{count} {state}" for state, count in totals.items() if count) or "none yet")
    if task["updates"]["last_failure"]:
        table.add_row("last failure", task["updates"]["last_failure"])
    out.print(table)
