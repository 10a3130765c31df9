"""What the demo's terminal shows: lines as things happen, and below them, in a terminal, how the batch stands."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.table import Table

COLOURS = {"promoted": "green", "held": "yellow", "rejected": "red", "failed": "red", "expired": "dim"}
BAR_WIDTH = 40
SELDOM_S = 5.0  # between two lines on the batch, where there is no terminal to keep it on the last line


class Screen:
    """One line an occurrence, with the seconds since the start."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._started_s = time.monotonic()
        self._status: Status | None = None
        self._told, self._told_s = "", 0.0

    def config(self, text: str) -> None:
        """The configuration, with its reasons."""
        self.console.rule("adaptd.yaml of the demo")
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        self.console.rule()

    def line(self, text: str, style: str = "") -> None:
        seconds = time.monotonic() - self._started_s
        self.console.print(f"[dim]{seconds:5.0f} s[/dim]  {text}", style=style, highlight=False, soft_wrap=True)

    def score(self, adapter: str, value: float, wish: str) -> None:
        """A score in [0, 1] as points of 100 and a bar."""
        bar = "█" * round(value * BAR_WIDTH)
        self.line(f"[bold]{adapter:8}[/bold] {100 * value:5.1f} of 100 {bar:{BAR_WIDTH}} {wish}", "cyan")

    def decision(self, decision: dict[str, Any]) -> None:
        """An update begun, a verdict, whatever the daemon decided."""
        state = decision["detail"].get("state", "")
        subject = decision["subject"] or decision["task"] or ""
        self.line(f"[bold]{subject:8}[/bold] {_plain(decision['reason'])}", COLOURS.get(state, ""))

    def batch(self, task: dict[str, Any]) -> None:
        """How the batch stands: on the last line of a terminal, else only when the words change."""
        batch, running = task["batch"], task["updates"]["running"]
        words = f"update {running['update_id']} {running['state']}" if running else ""
        words = words or (f"batch: {batch['reason']}" if batch else "waiting for feedback")
        if self.console.is_terminal:
            self._below(words)
        elif words != self._told and time.monotonic() - self._told_s >= SELDOM_S:
            self._told, self._told_s = words, time.monotonic()
            self.line(_plain(words), "dim")

    def close(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def table(self, rows: list[tuple[str, str]], title: str) -> None:
        table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
        for name, value in rows:
            table.add_row(name, value)
        self.console.print(table)

    def _below(self, words: str) -> None:
        if self._status is None:
            self._status = self.console.status(words)
            self._status.start()
        self._status.update(_plain(words))


def _plain(text: str) -> str:
    """Text that rich must not take for markup."""
    return text.replace("[", "\\[")
