"""The daemon is killed again and again while Kafka produces, and in the end every record has one outcome (I1, I2).

`make soak` runs the long one. The same without claim and unique keys must fail, or the test would prove nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.kafka import KafkaBroker
from tests.soak.daemons import SLOW_DAEMON, UNSAFE_DAEMON
from tests.soak.intake_run import Figures, Plan, run_with_kills
from tests.soak.slow_daemon import UNSAFE

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(1800)]


def figures_of(broker: KafkaBroker, folder: Path, plan: Plan) -> Figures:
    figures = run_with_kills(broker, folder, plan)
    print(f"\n{plan}\n{figures.table()}\n  faults: {'; '.join(figures.faults()) or 'none'}")
    return figures


def test_three_kills_while_kafka_produces_lose_and_double_nothing(kafka: KafkaBroker, tmp_path: Path) -> None:
    figures = figures_of(kafka, tmp_path, Plan(kills=3, seed=3))
    assert figures.faults() == []
    assert figures.kills == 3


def test_without_claim_and_unique_keys_the_same_kills_are_noticed(kafka: KafkaBroker, tmp_path: Path) -> None:
    assert figures_of(kafka, tmp_path, Plan(kills=3, seed=3, module=UNSAFE_DAEMON)).faults() != []


@pytest.mark.soak
def test_twenty_kills_while_kafka_produces_lose_and_double_nothing(kafka: KafkaBroker, tmp_path: Path) -> None:
    assert figures_of(kafka, tmp_path, Plan(kills=20, seed=20, strangers=5)).faults() == []


@pytest.mark.soak
def test_without_claim_and_unique_keys_twenty_kills_are_noticed(kafka: KafkaBroker, tmp_path: Path) -> None:
    assert figures_of(kafka, tmp_path, Plan(kills=20, seed=20, strangers=5, module=UNSAFE_DAEMON)).faults() != []


# It lives until what it was handed twice has gone through its long queue, or the kill hides what went wrong.
SLOW = Plan(kills=4, seed=4, strangers=4, module=SLOW_DAEMON, life_s=(3.0, 5.0))


@pytest.mark.soak
def test_partitions_given_out_anew_with_records_in_flight_lose_and_double_nothing(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    assert figures_of(kafka, tmp_path, SLOW).faults() == []
    assert "claim lost" in (tmp_path / "daemon.log").read_text(), "nothing was in flight: the moments are wrong"


@pytest.mark.soak
def test_without_claim_and_unique_keys_records_in_flight_are_read_twice(
    kafka: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(UNSAFE, "yes")
    figures = figures_of(kafka, tmp_path, SLOW)
    assert figures.twice_read > 0
    assert figures.faults() != []
