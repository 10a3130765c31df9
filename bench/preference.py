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
import platform
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
from sqlalchemy import update as change

from examples.erd.base import ensure_base
from storage import buffer, updates
from storage.store import Store
from storage.tables import meta

ROOT = Path(__file__).resolve().parent.parent
STREAM = ROOT / "tests/data/streams/ukp_preference.jsonl.gz"
TASK = "arguments"
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
    with Store.open(f"sqlite:///{folder / 'adaptd.db'}") as store:
        gate = store.read(lambda tx: buffer.gate_examples(tx, TASK))
        examples = {e.interaction_id: e for e in store.read(lambda tx: _train_fold(tx))}
        made = store.read(lambda tx: updates.get_update(tx, 1))
    assert made is not None, "the update that was just shown"
    trained = {user for interaction, _ in made.report["batch"] for user in examples[interaction].users}
    held_out = {user for example in gate for user in example.users}
    prompts = {example.messages for example in examples.values()} | {example.messages for example in gate}
    return (
        f"users trained on: {len(trained)}, users of the gate's {len(gate)} examples: {len(held_out)}, "
        f"in common: {len(trained & held_out)}; prompts in all: {len(prompts)}"
    )


def _train_fold(tx: Any) -> list[Any]:
    reserved = [example for _, example in buffer.reserved_examples(tx, 1)]
    return [*reserved, *buffer.learned_examples(tx, TASK, 10_000), *_open(tx)]


def _open(tx: Any) -> list[Any]:
    from daemon.actions.context import utc_now

    return buffer.open_examples(tx, TASK, settled_before=utc_now(), limit=20_000)


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


def _circumstances(seed: int) -> str:
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    machine = f"{os.cpu_count()} {platform.machine()} cores, {platform.system()}, Python {platform.python_version()}"
    return f"seed {seed}; commit {commit.stdout.strip()}; {machine}; load {os.getloadavg()[0]:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Preference learning on ukp, by a real daemon.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="an empty folder to leave everything in")
    options = parser.parse_args()
    circumstances, began_s = _circumstances(options.seed), time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        found = run(folder, options.seed)
        print(check_users(folder))
        (folder / "update.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    print(f"{circumstances}; {time.monotonic() - began_s:.0f} s in all")
    print("12 prompts and a base of 0.7M parameters that was made to draw diagrams: this proves plumbing, no more.")


if __name__ == "__main__":
    main()
