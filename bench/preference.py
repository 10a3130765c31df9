"""Preference learning on what real people preferred: a real daemon, end to end, on the ukp stream.

    python -m bench.preference                 one run, printed
    python -m bench.preference --seed 2 --keep DIR

It replays 12,693 recorded choices between two arguments (times shifted to now) into a daemon that only takes them in,
then starts the daemon that learns, and lets it make one update: DPO on pairs, folds split by user, the gate's primary
the likelihood of what held-out users chose. It prints what `adaptd updates show` prints, and checks that no user of a
gate pair was trained on.

Limits: the stream has 12 prompts, and the base is the example's, of 0.7 million parameters, which was made to draw
diagrams and reads English byte by byte. So this proves the plumbing and generalises to nothing. The seed fixes the
folds' secret and training; the batch depends on the moment too, since weights decay.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, select
from sqlalchemy import update as change

from bench.reporting import commit, machine
from examples.erd.base import ensure_base
from storage import buffer, updates
from storage.records import Example, codec
from storage.store import Store
from storage.tables import example, meta

ROOT = Path(__file__).resolve().parent.parent
STREAM = ROOT / "tests/data/streams/ukp_preference.jsonl.gz"
TASK = "arguments"
MOST = 100_000
START_S = 180.0
END_S = 1800.0
STOP_S = 180.0
CONFIG = """\
model: {{base: {base}, max_context: 512, lora: {{dropout: 0.0}}}}   # 512 is the base's whole window
engine: {{threads: 1}}
sources: [{{type: http}}]
storage: {{url: "sqlite:///adaptd.db", artifacts: ./artifacts}}
rewards: {{settle: 0s}}                       # these people will not change their minds
holdout: {{by: user}}
gate: {{min_prompts: 12}}                     # all that the stream has; a gate of prompts wants 20 by default
batching: {{max_wait: 1s, min: 100}}          # all of the batch at once: the recording is over
updates: {{threads: 1, seed: {seed}, dpo: {{learning_rate: 2e-3}}}}
learners: {{preference: auto}}
api: {{port: {port}}}
tasks: {{{task}: null}}
"""


def run(folder: Path, seed: int) -> dict[str, Any]:
    """The update as `GET /v1/updates/1` tells it, once it is judged."""
    url = f"http://127.0.0.1:{_configure(folder, seed)}"
    with _daemon(folder, "intake,api", url):
        print(_adaptd(folder, "replay", str(STREAM), "--task", TASK, "--times", "shift-to-now"))
    with _daemon(folder, "intake,learn,api", url):
        print(_status_line(url))
        found = _judged(url, folder)
        print(_adaptd(folder, "updates", "show", "1"))
        return found


def check_users(folder: Path) -> str:
    """In words, how many users gate and training have in common: promised are none."""
    with Store.open_readonly(f"sqlite:///{folder / 'adaptd.db'}") as store:
        trained_on, held_out = store.read(_both_sides)
    users, judges = ({user for each in side for user in each.users} for side in (trained_on, held_out))
    prompts = len({each.messages for each in (*trained_on, *held_out)})
    return (
        f"batch: {len(trained_on)} examples of {len(users)} users; whole gate fold: {len(held_out)} examples of "
        f"{len(judges)} users; users in common: {len(users & judges)}; prompts in all: {prompts}"
    )


def _both_sides(tx: Connection) -> tuple[list[Example], list[Example]]:
    """What the update's batch was made of, and the whole gate fold."""
    made = updates.get_update(tx, 1)
    assert made is not None, "the update that was just shown"
    names = [interaction for interaction, _ in made.report["batch"]]
    rows = tx.execute(select(example.c.record).where(example.c.task == TASK, example.c.interaction_id.in_(names)))
    trained_on = [codec.from_json(Example, record) for (record,) in rows]
    return trained_on, buffer.gate_examples(tx, TASK, limit=MOST)


def _configure(folder: Path, seed: int) -> int:
    """Writes adaptd.yaml, and a store whose folds are drawn by the seed; the API's port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    base = ensure_base(progress=False)
    (folder / "adaptd.yaml").write_text(CONFIG.format(base=base, seed=seed, port=port, task=TASK), encoding="utf-8")
    secret = blake2b(str(seed).encode(), digest_size=32).digest()
    with Store.open(f"sqlite:///{folder / 'adaptd.db'}") as store:
        store.write(lambda tx: tx.execute(change(meta).where(meta.c.name == "fold_secret").values(value=secret)))
    return port


@contextmanager
def _daemon(folder: Path, roles: str, url: str) -> Iterator[None]:
    with (folder / "daemon.log").open("ab") as log:
        process = subprocess.Popen(_command("run", "--role", roles), cwd=folder, env=_environ(), stdout=log, stderr=log)
    try:
        _wait(lambda: process.poll() is None and _get(url, "/readyz") is not None, START_S, "the daemon to be ready")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_S)


def _judged(url: str, folder: Path) -> dict[str, Any]:
    def over() -> bool:
        found = _get(url, "/v1/updates/1")
        return found is not None and found["state"] not in ("queued", "running", "trained")

    _wait(over, END_S, f"the update to be judged (its log: {folder}/daemon.log)")
    found: dict[str, Any] = _get(url, "/v1/updates/1")
    return found


def _status_line(url: str) -> str:
    def known() -> bool:
        return bool(((_get(url, "/v1/status") or {}).get("tasks", {}).get(TASK) or {}).get("batch"))

    _wait(known, START_S, "a first look at the batch")
    return f"batch: {_get(url, '/v1/status')['tasks'][TASK]['batch']['reason']}\n"


def _wait(true: Any, within_s: float, what: str) -> None:
    until = time.monotonic() + within_s
    while not true():
        if time.monotonic() > until:
            raise SystemExit(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.5)


def _get(url: str, path: str) -> Any:
    try:
        answer = httpx.get(f"{url}{path}", timeout=30, trust_env=False)
    except httpx.HTTPError:
        return None
    return answer.json() if answer.is_success else None


def _adaptd(folder: Path, *arguments: str) -> str:
    done = subprocess.run(_command(*arguments), cwd=folder, env=_environ(), capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise SystemExit(f"adaptd {arguments[0]} ended with code {done.returncode}: {done.stderr}")
    return done.stdout


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "daemon.cli.main", *arguments]


def _environ() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ADAPTD_")}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Preference learning on ukp, by a real daemon.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="an empty folder to leave everything in")
    options = parser.parse_args()
    load, began_s, code = os.getloadavg()[0], time.monotonic(), commit()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        found = run(folder, options.seed)
        print(check_users(folder))
        (folder / "update.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    took_s = time.monotonic() - began_s
    print(f"seed {options.seed}; commit {code}; {machine()}; load before the run {load:.1f}; {took_s:.0f} s in all")
    print("12 prompts and a base of 0.7M parameters that was made to draw diagrams: this proves plumbing, no more.")


if __name__ == "__main__":
    main()
