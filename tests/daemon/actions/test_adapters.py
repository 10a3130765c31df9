"""An adapter put into service by hand, whatever the gate was at."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from daemon.actions.adapters import list_adapters, promote_adapter, roll_back
from daemon.actions.status import status
from storage import registry
from storage.store import Store
from tests.daemon.candidates import Bench
from tests.daemon.past import TASK, change_validator, context_of, live_through, use_likelihood
from tests.storage.makers import NOW


@pytest.fixture
def bench(store: Store, tmp_path: Path) -> Bench:
    return Bench(store, tmp_path)


@pytest.mark.parametrize("state", ["trained", "held"])
def test_promoting_a_candidate_by_hand_ends_its_update_and_what_it_used_is_learned(
    bench: Bench, state: Literal["trained", "held"]
) -> None:
    update = bench.candidate(state)
    assert promote_adapter(bench.context, "erd@v1").state == "champion"
    assert (bench.now(update).state, bench.now(update).reason) == ("promoted", "promoted by hand: erd@v1")
    assert bench.counts() == (1, 0, 2)
    assert bench.champion == "erd@v1"


def test_the_update_of_another_candidate_is_left_as_it_is(bench: Bench) -> None:
    held, newer = bench.candidate("held"), bench.candidate("trained")
    promote_adapter(bench.context, "erd@v2")
    assert (bench.now(held).state, bench.now(newer).state) == ("held", "promoted")
    bench.judging.expire(bench.now(held), "erd@v3 is newer")
    assert (bench.now(held).state, bench.state_of("erd@v1")) == ("expired", "rejected")


def test_what_was_promoted_by_hand_can_be_rolled_back_by_hand(bench: Bench) -> None:
    update = bench.candidate("held")
    promote_adapter(bench.context, "erd@v1")
    assert roll_back(bench.context, "erd").name == "erd@v0"
    assert (bench.now(update).state, bench.state_of("erd@v1")) == ("promoted", "retired")


def test_a_score_by_an_earlier_validator_is_shown_and_said_to_be_one(store: Store, tmp_path: Path) -> None:
    live_through(store)
    change_validator(store)
    context = context_of(store, tmp_path)
    found = {one.name: (one.score, one.yardstick, one.comparable) for one in list_adapters(context, TASK)}
    assert (found["erd@v3"], found["erd@v4"]) == ((0.65, "old", False), (0.3, "new", True))
    champion = status(context).tasks[TASK].champion
    assert champion is not None
    assert (champion.adapter, champion.score) == ("erd@v4", 0.3)
    store.write(lambda tx: registry.set_champion(tx, TASK, "erd@v2", NOW, "by hand"))
    champion = status(context).tasks[TASK].champion
    assert champion is not None
    assert (champion.adapter, champion.score) == ("erd@v2", None), "not measured by the new validator yet"


def test_without_a_validator_the_champion_and_every_adapter_have_the_likelihood_as_their_score(
    store: Store, tmp_path: Path
) -> None:
    live_through(store)
    use_likelihood(store)
    context = context_of(store, tmp_path)
    found = {one.name: (one.metric, one.score, one.comparable) for one in list_adapters(context, TASK)}
    assert found["erd@v4"] == ("nll", 0.7, True)
    assert found["erd@v1"] == ("validator", 0.55, False), "an older score by another measure rather than none"
    task = status(context).tasks[TASK]
    assert task.champion is not None
    assert (task.champion.adapter, task.champion.score, task.trend.scores.count) == ("erd@v4", 0.7, 2)
