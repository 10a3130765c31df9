"""Updates by a real daemon, with its engine and gateway, on the small model: fed over HTTP, read from its store."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from bench.reporting import ROOT
from bench.update.material import TASK, corrections, interactions
from examples.erd.demo.daemon_process import DaemonProcess, free_ports
from learners.job_files import read_result
from storage import folds, reservations, updates
from storage.records import TERMINAL_UPDATE_STATES, Update
from storage.store import Store

BATCH = 20
GATE_PROMPTS = 60
DEV_SHARE = 0.5  # the gate's guards measure against what humans wrote outside the batch: there must be some of it
JUDGED = f"{{by: prompt, min: {GATE_PROMPTS}, dev_share: {DEV_SHARE}}}"
UNJUDGED = "{min: 0, share: 0, dev_share: 0}"
LIMIT_S = 600.0
PAUSE_S = 0.3  # between two corrections: the scheduler has looked by then
LOOK_EVERY_S = 0.05
CONFIG = """\
model: {{base: {base}, max_context: 512, lora: {{rank: 16, alpha: 32, dropout: 0.0}}}}
engine: {{type: local, threads: {threads}}}
sources: [{{type: http}}]
storage: {{url: "sqlite:///adaptd.db", artifacts: ./artifacts}}
rewards: {{settle: 0s}}
holdout: {holdout}
batching: {{min: {batch}, max: {batch}}}
updates: {{threads: {threads}, seed: {seed}, sft: {{learning_rate: 2.5e-3, steps: {steps}}}}}
gate: {{enabled: {gate}}}
gateway: {{enabled: true, port: {gateway_port}}}
api: {{port: {api_port}}}
tasks: {{{task}: {{validator: mermaid_erd}}}}
"""


@dataclass(frozen=True, slots=True)
class IntoService:
    """Seconds from the event that filled the batch to what came of it."""

    begun: float
    trained: float
    judged: float
    answering: float


@dataclass(frozen=True, slots=True)
class Compared:
    """Seconds: from the batch being ripe to the promoted candidate; those of them outside the worker; bare trainer."""

    daemon: float
    outside: float
    bare: float

    @property
    def added(self) -> float:
        """What the daemon adds, as a share of the bare trainer's time."""
        return self.daemon / self.bare - 1


@dataclass(frozen=True, slots=True)
class Bed:
    """How the daemon is set up."""

    base: Path
    folder: Path
    seed: int
    threads: int
    steps: int
    gate: bool


def into_service(bed: Bed) -> IntoService:
    """Fill the gate's prompts first, then the batch, event by event; then ask until the new adapter answers.

    Raises RuntimeError when the gate does not promote it: then there is nothing to measure.
    """
    with _daemon(bed) as (daemon, store):
        _send(daemon, interactions(3 * GATE_PROMPTS, bed.seed))
        _wait_until(lambda: store.read(lambda tx: folds.fold_counts(tx, TASK)).gate >= GATE_PROMPTS, "a full gate")
        update = _fill_batch(daemon, store, bed.seed)
        filled_at = _filled_at(store, update)
        candidate = f"{TASK}@v1"
        _wait_until(lambda: _answering(daemon) == candidate or _is_lost(store, update), f"{candidate} to answer")
        answering_at = datetime.now(UTC)
        ended = _update(store, update.update_id)
        if ended.state != "promoted":
            raise RuntimeError(f"the update was {ended.state} instead of promoted: {ended.reason}")
        trained_at = _job_ended_at(store, update, "train")
    moments = (update.created_at, trained_at, ended.changed_at, answering_at)
    return IntoService(*((moment - filled_at).total_seconds() for moment in moments))


def update_and_bare(bed: Bed) -> Compared:
    """One update by the daemon, then the bare trainer on its rows.

    The bare trainer runs before the daemon's engine is stopped, since that was there while the daemon trained.
    """
    with _daemon(bed) as (daemon, store):
        update = _fill_batch(daemon, store, bed.seed)
        _wait_until(lambda: _update(store, update.update_id).state in TERMINAL_UPDATE_STATES, "the update to end")
        ended = _update(store, update.update_id)
        if ended.state != "promoted":
            raise RuntimeError(f"the update was {ended.state} instead of promoted: {ended.reason}")
        (job,) = store.read(lambda tx: updates.list_jobs(tx, update.update_id))
        directory = bed.folder / "artifacts" / "jobs" / job.directory
        bare_s = _bare(directory, bed.folder / "bare")
    result = read_result(directory)
    assert result is not None, "a promoted candidate was trained by a job that ended"
    daemon_s = (ended.changed_at - ended.created_at).total_seconds()
    return Compared(daemon_s, daemon_s - result.seconds["total"], bare_s)


@contextmanager
def _daemon(bed: Bed) -> Iterator[tuple[DaemonProcess, Store]]:
    """Running, its base answering through the gateway."""
    bed.folder.mkdir()
    api_port, gateway_port = free_ports(2)
    text = CONFIG.format(
        base=bed.base,
        threads=bed.threads,
        holdout=JUDGED if bed.gate else UNJUDGED,
        batch=BATCH,
        seed=bed.seed,
        steps=bed.steps,
        gate=str(bed.gate).lower(),
        gateway_port=gateway_port,
        api_port=api_port,
        task=TASK,
    )
    (bed.folder / "adaptd.yaml").write_text(text)
    api_url, gateway_url = (f"http://127.0.0.1:{port}" for port in (api_port, gateway_port))
    daemon = DaemonProcess(bed.folder, api_url, gateway_url)
    try:
        daemon.start()
        with Store.open_readonly(f"sqlite:///{bed.folder / 'adaptd.db'}") as store:
            yield daemon, store
    finally:
        daemon.stop()


def _fill_batch(daemon: DaemonProcess, store: Store, seed: int) -> Update:
    """One correction after another until an update begins."""
    deadline = time.monotonic() + LIMIT_S
    for correction in corrections(seed):
        _send(daemon, [correction])
        time.sleep(PAUSE_S)
        begun = store.read(lambda tx: updates.running_update(tx, TASK))
        if begun is not None:
            return begun
        if time.monotonic() > deadline:
            break
    raise RuntimeError(f"no update began within {LIMIT_S:.0f} s: {daemon.last_words()}")


def _send(daemon: DaemonProcess, events: list[dict[str, object]]) -> None:
    httpx.post(f"{daemon.api_url}/v1/events", json=events, timeout=60, trust_env=False).raise_for_status()


def _answering(daemon: DaemonProcess) -> str:
    """Which adapter answers the task's name now."""
    asked = {"model": TASK, "messages": [{"role": "user", "content": "Draw."}], "max_tokens": 4}
    answer = httpx.post(f"{daemon.gateway_url}/v1/chat/completions", json=asked, timeout=60, trust_env=False)
    return str(answer.json()["adaptd"]["adapter"]) if answer.is_success else ""


def _is_lost(store: Store, update: Update) -> bool:
    """Whether it will never answer."""
    return _update(store, update.update_id).state not in ("queued", "running", "trained", "promoted")


def _update(store: Store, update_id: int) -> Update:
    found = store.read(lambda tx: updates.get_update(tx, update_id))
    assert found is not None, "an update is never deleted"
    return found


def _job_ended_at(store: Store, update: Update, kind: str) -> datetime:
    jobs = store.read(lambda tx: updates.list_jobs(tx, update.update_id))
    return next(job.changed_at for job in jobs if job.kind == kind)


def _filled_at(store: Store, update: Update) -> datetime:
    """When the event was received that made the batch: later ones may be in its pool too. Ask while it runs."""
    pool = store.read(lambda tx: reservations.reserved_examples(tx, update.update_id))
    received = sorted(example.last_signal_at for _, example in pool if example.last_signal_at)
    return received[BATCH - 1]


def _bare(job: Path, scratch: Path) -> float:
    command = [sys.executable, "-m", "bench.update.bare", str(job), str(scratch)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode:
        raise RuntimeError(f"the bare trainer failed:\n{done.stderr[-2000:]}")
    return float(done.stdout.splitlines()[-1])


def _wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {LIMIT_S:.0f} s in vain for {what}")
        time.sleep(LOOK_EVERY_S)
