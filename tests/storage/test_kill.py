"""A writer killed at any point leaves a store that opens and whose position says exactly what is in it (I1, I2)."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from storage import intake
from storage.store import Store
from tests.storage.makers import STREAM

ROOT = Path(__file__).parents[2]
KILLS = 10


def run_and_kill(url: str, after_s: float) -> None:
    command = [sys.executable, "-m", "tests.storage.victim", url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "ready\n"
        time.sleep(after_s)
        assert victim.poll() is None, "it ended by itself"
        victim.kill()


def check(tx: Connection) -> int:
    """The position of the stream, after holding it against every row."""
    assert tx.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    claim = intake.claim_of(tx, STREAM)
    assert claim is not None
    rows, distinct, highest = tx.execute(
        text("SELECT count(*), count(DISTINCT event_id), coalesce(max(position), -1) FROM event")
    ).one()
    assert (rows, distinct, highest) == (claim.position, claim.position, claim.position - 1)
    assert intake.totals(tx).received == intake.totals(tx).stored == claim.position
    behind = "SELECT count(*) FROM example WHERE revision != (SELECT count(*) FROM event WHERE example_id = example.id)"
    assert tx.execute(text(behind)).scalar_one() == 0
    return claim.position


@pytest.mark.slow
def test_ten_kills_at_random_moments_lose_and_double_nothing(url: str) -> None:
    moments, position = random.Random(7), 0
    for _ in range(KILLS):
        run_and_kill(url, moments.uniform(0.02, 0.3))
        with Store.open(url) as store:
            reached = store.read(check)
        assert reached >= position
        position = reached
    assert position > KILLS
