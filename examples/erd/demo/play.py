"""The demo's story: a base model answers, users correct it, it learns; then they want something new.

Nothing here reaches into the daemon: it is started like anybody's, asked through the gateway, fed over HTTP, and what
it decides is read from its API. Both halves have fixed ends (time or promotions), never a score that must be reached.
"""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from openai import OpenAI
from rich.console import Console

from daemon.errors import UsageError
from examples.erd.base import ensure_base
from examples.erd.demo.app import TASK, App
from examples.erd.demo.config import DemoSettings, text_of
from examples.erd.demo.daemon_process import DaemonProcess, free_ports
from examples.erd.demo.report import Batch, Reading, Story, plot, write_json
from examples.erd.demo.scoring import score_served
from examples.erd.demo.screen import Screen
from examples.erd.world import AFTER

MARKER = ".adaptd-demo"
QUESTIONS_PER_S = 7.0
FIRST_HALF_S = (60.0, 85.0)  # at least, at most: it ends in between with two promotions
SECOND_HALF_S = (60.0, 130.0)  # ends in between with three promotions
LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Play:
    """How to play: `guarded` false takes caps and gate away."""

    folder: Path
    seed: int = 0
    hostile: bool = True
    guarded: bool = True
    output: Path | None = None


def play(how: Play, screen: Screen) -> Story:
    """The whole demo. Raises DaemonFailed when the daemon does not start or dies, UsageError for a folder in use."""
    started_s = time.monotonic()
    base = ensure_base(progress=True)
    folder = _fresh(how.folder)
    api_port, gateway_port = free_ports(2)
    settings = DemoSettings(base, api_port, gateway_port, seed=how.seed, guarded=how.guarded)
    text = text_of(settings)
    (folder / "adaptd.yaml").write_text(text, encoding="utf-8")
    screen.config(text)
    api_url, gateway_url = (f"http://127.0.0.1:{port}" for port in (settings.api_port, settings.gateway_port))
    daemon = DaemonProcess(folder, api_url, gateway_url)
    story = Story(how.seed)
    screen.line("starting the daemon, its engine and its gateway")
    try:
        daemon.start()
        with OpenAI(base_url=f"{gateway_url}/v1", api_key="unused", max_retries=2, timeout=60) as client:
            app = App(client, api_url, seed=how.seed, per_second=QUESTIONS_PER_S, with_hostile=how.hostile)
            _Stage(daemon, client, app, screen, story, started_s).act()
    finally:
        screen.close()
        daemon.stop()
    story.seconds = time.monotonic() - started_s
    _tell(story, how, screen)
    return story


class _Stage:
    """The running demo."""

    def __init__(
        self, daemon: DaemonProcess, client: OpenAI, app: App, screen: Screen, story: Story, started_s: float
    ) -> None:
        self._daemon, self._client, self._app = daemon, client, app
        self._screen, self._story, self._started_s = screen, story, started_s
        self._champion, self._promotions, self._seen = "", 0, 0
        self._changed = False

    def act(self) -> None:
        self._watch()
        self._app.start()
        try:
            self._screen.line("ten users ask for diagrams and correct what they get")
            self._half(FIRST_HALF_S, promotions=2)
            self._change_wish()
            self._half(SECOND_HALF_S, promotions=3)
        finally:
            self._app.stop()
        self._watch()
        self._score()
        sent = self._app.sent
        early_and_late = f"{sent.late} late, {sent.early} before their interaction"
        self._screen.line(f"{sent.questions} questions, {sent.events} events sent ({early_and_late})")
        self._story.totals = self._daemon.status()["tasks"][TASK]["updates"]["totals"]

    def _half(self, length_s: tuple[float, float], promotions: int) -> None:
        began_s, before = time.monotonic(), self._promotions
        while (elapsed_s := time.monotonic() - began_s) < length_s[1]:
            self._watch()
            if elapsed_s >= length_s[0] and self._promotions - before >= promotions:
                return
            time.sleep(LOOK_EVERY_S)

    def _change_wish(self) -> None:
        self._app.wish, self._changed = AFTER, True
        wanted = ", ".join(AFTER.required_fields)
        self._screen.line(f"the users want something new: every entity must carry {wanted}", "bold magenta")
        self._score()

    def _watch(self) -> None:
        """Show what was decided; score a new champion once it is in service."""
        for decision in self._daemon.decisions(self._seen):
            self._seen = decision["id"]
            self._screen.decision(decision)
            if decision["kind"] == "batch":
                self._story.batches.append(Batch.of(decision["detail"]))
        task = self._daemon.status()["tasks"][TASK]
        self._screen.batch(task)
        champion = task["champion"]
        if champion and champion["serving"] and champion["adapter"] != self._champion:
            self._promotions += self._champion != ""
            self._champion = champion["adapter"]
            self._score()

    def _score(self) -> None:
        self._daemon.wait_until_listed(self._champion)
        value = score_served(self._client, self._champion, self._app.wish)
        at_s = time.monotonic() - self._started_s
        self._story.readings.append(Reading(self._champion, value, at_s, self._changed))
        self._screen.score(self._champion, value, "by the new wish" if self._changed else "")


def _fresh(folder: Path) -> Path:
    """An empty folder; one that an earlier demo left is emptied, anything else is left alone."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise UsageError(f"{folder} has files that no demo made; name another folder with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()
    return folder


def _tell(story: Story, how: Play, screen: Screen) -> None:
    picture = how.folder / "score.png"
    plot(story, picture)
    if how.output is not None:
        write_json(story, how.output)
    first, last = story.readings[0], story.readings[-1]
    changed = next((reading for reading in story.readings if reading.changed), last)
    before = story.readings[max(0, story.readings.index(changed) - 1)]
    ended = ", ".join(f"{count} {state}" for state, count in story.totals.items() if count) or "none"
    rows = [
        ("the base", f"{100 * first.value:.1f} of 100"),
        ("before the wish changed", f"{100 * before.value:.1f} ({before.adapter})"),
        ("when it changed", f"{100 * changed.value:.1f} ({changed.adapter})"),
        ("at the end", f"{100 * last.value:.1f} ({last.adapter})"),
        ("updates", ended),
        ("most of a batch from one user", f"{100 * story.largest_share:.0f} %, {story.over_cap} batches over the cap"),
        ("time", f"{story.seconds:.0f} s"),
    ]
    screen.table(rows, "Summary")
    screen.console.print(f"plot: {picture}", soft_wrap=True)  # a path is copied whole or not at all
    screen.console.print(f"store, artifacts, daemon.log, released/: {how.folder}", soft_wrap=True)
    if first.adapter == last.adapter:
        screen.line("nothing was promoted: this machine was too slow or too busy for the time there was", "yellow")
    _point_on(how.folder, screen.console)


def _point_on(folder: Path, console: Console) -> None:
    """What to do next, as it can be typed."""
    config = folder / "adaptd.yaml"
    shown = config.relative_to(Path.cwd()) if config.is_relative_to(Path.cwd()) else config
    console.print("\nThat was the demo. Yours: [bold]adaptd init && adaptd run[/bold]")
    console.print(f"What it learned is still there: [bold]adaptd adapters list -c {shown}[/bold]", soft_wrap=True)
    if shutil.which("adaptd") is None:
        activate = Path(sys.prefix) / "bin" / "activate"
        console.print(f"To have the command at hand: [bold]. {activate}[/bold]", soft_wrap=True)
