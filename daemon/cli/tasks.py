"""`adaptd tasks`: what is learned, and how far each task is."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from daemon.actions.status import status as read_status
from daemon.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, UrlOption, ask, out, points, print_json


def tasks(config: ConfigOption = DEFAULT_CONFIG, url: UrlOption = None, as_json: JsonOption = False) -> None:
    """Every task with its champion, its learners and its next batch."""
    found = ask(config, url, "GET", "/v1/status", read_status)["tasks"]
    if as_json:
        print_json(found)
        return
    table = Table("task", "champion", "score", "learners", "batch", "gate", box=None)
    for name, task in found.items():
        champion = task["champion"] or {"adapter": "-", "score": None}
        learners = ", ".join(learner for learner, state in task["learners"].items() if state not in (False, "off"))
        batch = f"{task['batch']['have']} of {task['batch']['need']}" if task["batch"] else "-"
        gate = _gate(task["gate"]) if task.get("gate") else "off"
        table.add_row(name, champion["adapter"], points(champion["score"]), learners or "-", batch, gate)
    out.print(table)


def _gate(gate: dict[str, Any]) -> str:
    """Its prompts, and the gain that a first look finds in 80 % of cases."""
    sees = "too few" if gate["detects"] is None else f"detects {points(gate['detects'])} points"
    return f"{gate['prompts']} prompts, {sees}"
