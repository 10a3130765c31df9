"""One run of the training's kill test: two tasks learn by `noop` while feedback comes in, and the daemon dies often.

Task `judged` goes through evaluate job and gate, which finds no difference and holds; task `trusting` has its gate
off, so that candidates are promoted, learned from and released. Nothing needs a broker.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import psutil
from sqlalchemy import Connection, text

from storage import registry, updates
from storage.artifacts import INCOMING, Artifacts
from storage.errors import ArtifactCorrupt
from storage.records import TERMINAL_UPDATE_STATES
from storage.store import Store
from tests.soak.daemons import PATIENCE_S, Daemon, alive, free_port, poll_until

TASKS = ("judged", "trusting")
STEPS, STEP_S = 5, 0.4
QUIET_S = 12.0  # nothing was begun for so long, and that is well beyond `max_wait`: there is nothing left to do
LEFT_OVER = "a candidate that a crash left half-written"
Moment = Literal["train", "evaluate"]
CONFIG = """\
model: {{base: {base}, max_context: 128, lora: {{rank: 4}}}}
engine: {{threads: 1, max_adapters: 64}}
sources: [{{type: http}}]
storage: {{url: "sqlite:///adaptd.db", artifacts: ./artifacts}}
rewards: {{settle: 0s}}
holdout: {{by: prompt, min: 12, share: 0.2}}
batching: {{min: 4, max: 40, max_wait: 4s, max_share_per_user: 1, min_users: 1}}
updates: {{method: noop, threads: 1, noop: {{size: 16KiB, steps: {steps}, step_time: {step_s}s}}}}
gate: {{min_prompts: 10}}
api: {{port: {port}}}
tasks: {{judged: {{}}, trusting: {{gate: {{enabled: false}}}}}}
"""


@dataclass(frozen=True)
class Plan:
    """What is under way when the daemon is killed, kill by kill."""

    moments: Sequence[Moment]
    seed: int


@dataclass(frozen=True)
class Figures:
    """What was done and what is left in the end."""

    kills: int
    events_sent: int
    events_stored: int
    updates: int
    finished: int  # in a terminal state
    held: int  # wait for more evidence, in good order
    promoted: int
    failed: int
    lost_train: int  # attempts that ended with the daemon
    lost_evaluate: int
    unfinished_jobs: int
    adapters: int  # with files
    broken: int  # whose files are not what was published
    half_written: int
    doubled_candidates: int  # beyond one of an update
    doubled_revisions: int  # live or learned twice
    live_of_finished: int  # reservations that nobody will release
    learned_unpromoted: int
    champions_served: int
    left_behind: int  # processes that outlived a killed daemon for long
    longest_outlived_s: int
    seconds: int

    def faults(self) -> list[str]:
        """What is not in order."""
        nothing = ["unfinished_jobs", "broken", "half_written", "doubled_candidates", "doubled_revisions"]
        nothing += ["live_of_finished", "learned_unpromoted", "left_behind"]
        found = [f"{name} is {getattr(self, name)}" for name in nothing if getattr(self, name)]
        if self.events_stored != self.events_sent:
            found.append(f"{self.events_sent} events were sent, {self.events_stored} are stored")
        if self.finished + self.held != self.updates or self.held > 1:
            found.append(f"of {self.updates} updates {self.finished} finished and {self.held} are held")
        if self.champions_served != len(TASKS):
            found.append(f"{self.champions_served} of {len(TASKS)} champions are served")
        return found

    def table(self) -> str:
        return "\n".join(f"  {each.name:20}{getattr(self, each.name):>6}" for each in fields(self))


def run_with_kills(base: Path, folder: Path, plan: Plan) -> Figures:
    """The whole run; the daemon is stopped in good order at its end."""
    began, port = time.monotonic(), free_port()
    config = CONFIG.format(base=base, steps=STEPS, step_s=STEP_S, port=port)
    (folder / "adaptd.yaml").write_text(config)
    moments = random.Random(plan.seed)
    outlived: list[float] = []
    with Daemon(folder, port, roles="intake,learn,api") as daemon:
        daemon.start()
        with _giving_feedback(daemon) as sent:
            for moment in plan.moments:
                _wait_for(daemon, moment)
                time.sleep(moments.uniform(0.0, STEPS * STEP_S if moment == "train" else 1.0))
                outlived.append(_outlive(daemon.kill()))
                _leave_half_written(folder)
                daemon.start()
            _wait_for(daemon, "train")
        _wait_until_quiet(daemon)
        served = _champions_served(daemon)
        assert daemon.stop() == 0, daemon.last_words()
    with Store.open_readonly(f"sqlite:///{folder / 'adaptd.db'}") as store:
        counted = store.read(lambda tx: _count(tx, Artifacts(folder / "artifacts")))
    return Figures(
        kills=daemon.kills,
        events_sent=sent[0],
        half_written=len(list((folder / "artifacts" / INCOMING).glob("*"))),
        champions_served=served,
        left_behind=sum(seconds == float("inf") for seconds in outlived),
        longest_outlived_s=round(max(seconds for seconds in outlived if seconds != float("inf"))),
        seconds=round(time.monotonic() - began),
        **counted,
    )


def _running_states(daemon: Daemon) -> set[tuple[str, str]]:
    """(task, state) of the update that each task is at."""
    status = daemon.status()
    if status is None:
        return set()
    running = {task: status["tasks"][task]["updates"]["running"] for task in TASKS}
    return {(task, update["state"]) for task, update in running.items() if update}


def _wait_for(daemon: Daemon, moment: Moment) -> None:
    def come() -> bool:
        states = _running_states(daemon)
        if moment == "train":
            return any(state == "running" for _, state in states)
        return ("judged", "trained") in states

    poll_until(come, f"an update to {moment}", daemon.last_words)


def _outlive(processes: list[psutil.Process], patience_s: float = 60.0) -> float:
    """Seconds until the last of them was gone; infinity when one stays (it is ended then)."""
    began = time.monotonic()
    while left := alive(processes):
        if time.monotonic() - began > patience_s:
            print("left behind:", *left, sep="\n  ")
            for process in processes:
                if process.is_running():
                    process.kill()
            return float("inf")
        time.sleep(0.05)
    return time.monotonic() - began


def _leave_half_written(folder: Path) -> None:
    left = folder / "artifacts" / INCOMING / "half"
    left.mkdir(parents=True, exist_ok=True)
    (left / "adapter_model.safetensors").write_text(LEFT_OVER)


def _wait_until_quiet(daemon: Daemon) -> None:
    """Until every update has ended or is held, and no other is begun."""
    quiet_since = time.monotonic()

    def quiet() -> bool:
        nonlocal quiet_since
        status = daemon.status()
        if status is None or any(_at_work(status["tasks"][task]) for task in TASKS):
            quiet_since = time.monotonic()
        return time.monotonic() - quiet_since > QUIET_S and _champions_served(daemon) == len(TASKS)

    poll_until(quiet, "all updates to end", daemon.last_words, patience_s=3 * PATIENCE_S)


def _at_work(task: dict[str, Any]) -> bool:
    """An update is under way, or will be: its batch is ripe, or was not looked at yet."""
    return bool(task["updates"]["running"]) or task["batch"] is None or task["batch"]["state"] != "waiting"


def _champions_served(daemon: Daemon) -> int:
    status = daemon.status()
    champions = [] if status is None else [status["tasks"][task]["champion"] for task in TASKS]
    return sum(champion is not None and champion["serving"] for champion in champions)


@contextmanager
def _giving_feedback(daemon: Daemon) -> Iterator[list[int]]:
    """A thread that sends feedback on both tasks, again and again until it is answered for; yields how many events."""
    sent, enough, hopeless, troubles = [0], threading.Event(), threading.Event(), list[BaseException]()

    def send() -> None:
        try:
            while not enough.wait(0.5) and not hopeless.is_set():
                sent[0] += _send_surely(daemon, sent[0], hopeless)
        except BaseException as error:
            troubles.append(error)

    thread = threading.Thread(target=send, name="feedback")
    thread.start()
    try:
        yield sent
    except BaseException:
        hopeless.set()
        raise
    finally:
        enough.set()
        thread.join()
    if troubles:
        raise troubles[0]


def _send_surely(daemon: Daemon, number: int, hopeless: threading.Event) -> int:
    events = [event for task in TASKS for event in _feedback(task, number)]
    poll_until(lambda: hopeless.is_set() or daemon.send(events), "the daemon to take events", daemon.last_words)
    return len(events)


def _feedback(task: str, number: int) -> list[dict[str, Any]]:
    """One interaction and its correction, of its own prompt."""
    about = {"task": task, "interaction_id": f"i{number}", "user_id": f"u{number % 5}", "schema": 1}
    at = {"occurred_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    asked = {"event_id": f"a{number}", "kind": "interaction", "prompt": f"q {number}", "response": "no"}
    better = {"event_id": f"c{number}", "kind": "correction", "corrected": f"yes {number}"}
    return [{**about, **at, **asked}, {**about, **at, **better}]


def _count(tx: Connection, artifacts: Artifacts) -> dict[str, int]:
    def number(query: str) -> int:
        return int(tx.execute(text(query)).scalar_one())

    states = Counter(update.state for update in updates.list_updates(tx, limit=10_000))
    adapters = [adapter for adapter in registry.list_adapters(tx) if adapter.directory]
    lost = "SELECT count(*) FROM job WHERE error = 'the daemon ended while the worker ran' AND kind = "
    return {
        "events_stored": number("SELECT count(DISTINCT event_id || task) FROM event"),
        "updates": sum(states.values()),
        "finished": sum(states[state] for state in TERMINAL_UPDATE_STATES),
        "held": states["held"],
        "promoted": states["promoted"],
        "failed": states["failed"],
        "lost_train": number(f"{lost}'train'"),
        "lost_evaluate": number(f"{lost}'evaluate'"),
        "unfinished_jobs": len(updates.unfinished_jobs(tx)),
        "adapters": len(adapters),
        "broken": sum(not _whole(artifacts, adapter) for adapter in adapters),
        "doubled_candidates": len(adapters) - len({adapter.update_id for adapter in adapters}),
        "doubled_revisions": number(
            "SELECT count(*) FROM (SELECT 1 FROM reservation WHERE state IN ('live', 'learned')"
            " GROUP BY example_id, revision HAVING count(*) > 1)"
        ),
        "live_of_finished": number(
            "SELECT count(*) FROM reservation JOIN updates USING (update_id)"
            " WHERE reservation.state = 'live' AND updates.state NOT IN ('queued', 'running', 'trained', 'held')"
        ),
        "learned_unpromoted": number(
            "SELECT count(*) FROM reservation JOIN updates USING (update_id)"
            " WHERE reservation.state = 'learned' AND updates.state != 'promoted'"
        ),
    }


def _whole(artifacts: Artifacts, adapter: Any) -> bool:
    try:
        artifacts.verify(adapter)
    except ArtifactCorrupt:
        return False
    return bool(adapter.files)
