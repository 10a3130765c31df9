"""The crowds of bench.trust are seen as a daemon would see them, and what it measures follows from who is in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from bench.trust import Line, measure, probe
from bench.trust_crowds import ALONE, Crowd, Where, draw
from consumers.trust import PRIOR, trust_of
from storage import votes
from storage.store import Store
from tests.storage.makers import insert, keep

SMALL = Crowd("contrary", 0.2, users=20, said=160)
SEEDS = (1, 2, 3)


@pytest.mark.parametrize("where", ["apart", "together"])
def test_the_votes_of_a_crowd_are_those_that_a_store_of_its_events_tells(tmp_path: Path, where: Where) -> None:
    world = draw(replace(SMALL, where=where, validated=True), seed=1)
    with Store.open(f"sqlite:///{tmp_path / 'adaptd.db'}") as store:
        store.write(lambda tx: (insert(tx, world.events), keep(tx, *world.examples())))
        told = store.read(lambda tx: votes.recent_votes(tx, "crowd", 1000))
    mine = world.votes(world.examples())
    assert [(vote.answer, vote.by_validator, vote.signal) for vote in mine] == [
        (vote.answer, vote.by_validator, vote.signal) for vote in told
    ]
    assert trust_of(mine).by_user == trust_of(told).by_user != {}


def test_the_same_seed_has_the_same_answers_and_voters_whoever_is_among_them() -> None:
    few, many = (draw(replace(SMALL, share=share), seed=1) for share in (0.1, 0.5))
    assert few.answers == many.answers
    assert [event.user_id for event in few.events] == [event.user_id for event in many.events]
    assert few.minority < many.minority
    assert draw(SMALL, seed=1) == draw(SMALL, seed=1) != draw(SMALL, seed=2)


def test_contrary_users_are_trusted_less_and_less_weight_is_wrong() -> None:
    found = [measure(SMALL, seed, draws=1) for seed in SEEDS]
    assert fmean(one.on.wrong - one.off.wrong for one in found) < -0.05
    assert fmean(one.on.minority - one.off.minority for one in found) < -0.05
    assert all(one.trust > (one.trust_minority or 1) for one in found)


def test_experts_whom_a_deceived_majority_outvotes_are_those_who_lose() -> None:
    found = [measure(replace(SMALL, kind="experts", deceptive=0.8), seed, draws=1) for seed in SEEDS]
    assert fmean(one.on.wrong - one.off.wrong for one in found) > 0.02
    assert fmean(one.on.minority - one.off.minority for one in found) < -0.05


def test_where_nothing_is_shared_trust_changes_nothing() -> None:
    found = measure(replace(SMALL, votes=ALONE), seed=1, draws=1)
    assert found.trust == found.trust_minority == pytest.approx(PRIOR)
    assert found.on.wrong == pytest.approx(found.off.wrong)
    assert found.on.drawn == pytest.approx(found.off.drawn)
    assert found.on.minority == pytest.approx(found.off.minority)


def test_more_compared_answers_tell_users_apart_better() -> None:
    few, many = (probe(count, SEEDS, users=20) for count in (1, 10))
    assert few.told_contrary < many.told_contrary > 0.9
    assert few.contrary > many.contrary


def test_a_line_gives_both_shares_and_their_difference_with_its_interval() -> None:
    line = Line(SMALL, tuple(measure(SMALL, seed, draws=1) for seed in SEEDS)).row()
    off, on = (100 * fmean(getattr(measure(SMALL, seed, 1), side).wrong for seed in SEEDS) for side in ("off", "on"))
    assert line.startswith(f"| 20% contrary | {off:.1f}% → {on:.1f}% ({on - off:+.1f} ± ")
