"""Judgements of one answer are found across interactions, in a store of today and in one of before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, create_engine, text

from storage import asked, migrations, votes
from storage.records import Event, Message, Rating, Retraction, Signal, Validation
from storage.store import Store
from tests.storage.makers import NOW, event, example, insert, keep, later, rating

HALF = Signal(0.5, "1")


def rated(event_id: str, of: str, user: str | None, signal: float, seconds: float = 0) -> Event:
    return rating(event_id, of, user_id=user, signal=Signal(signal, "1"), received_at=later(seconds))


def put(tx: Connection, *events: Event) -> None:
    insert(tx, events)


def test_the_same_text_to_the_same_prompt_is_one_answer_whatever_its_case_and_spaces(store: Store) -> None:
    again = replace(example("i2"), response="ERDIAGRAM\n")
    other = replace(example("i3"), messages=(Message("user", "draw another"),))

    def fill(tx: Connection) -> None:
        put(tx, rated("a", "i1", "u1", 1.0), rated("b", "i2", "u2", 0.0, 1), rated("c", "i3", "u3", 0.5, 2))
        keep(tx, example("i1"), again, other)

    store.write(fill)
    c, b, a = store.read(lambda tx: votes.recent_votes(tx, "erd", 10))
    assert a.answer == b.answer != c.answer
    assert [(vote.user_id, vote.signal, vote.by_validator) for vote in (a, b, c)] == [
        ("u1", 1.0, False), ("u2", 0.0, False), ("u3", 0.5, False),
    ]  # fmt: skip


def test_a_vote_has_its_criterion_and_where_it_names_nobody_the_interactions_user(store: Store) -> None:
    by_style = replace(rated("a", "i1", None, 1.0), body=Rating(5, 1, 5, "style"))
    machine = event("v", "i1", body=Validation(0.2), signal=HALF, received_at=later(1))
    alone = rated("n", "i2", None, 0.5, 2)
    store.write(lambda tx: put(tx, by_style, machine, alone))
    store.write(lambda tx: keep(tx, example("i1"), replace(example("i2"), user_id=None, users=())))
    nobody, validator, one = store.read(lambda tx: votes.recent_votes(tx, "erd", 10))
    assert (one.user_id, one.criterion) == ("u1", "style")
    assert (validator.by_validator, validator.criterion) == (True, None)
    assert (nobody.user_id, nobody.criterion) == (None, None)


def test_the_newest_are_told_and_other_tasks_feedback_and_taken_back_ones_are_not(store: Store) -> None:
    judged = event("v", "i1", body=Validation(0.2), signal=Signal(0.2, "1"), received_at=later(3))
    taken_back = event("r", "i9", body=Retraction(event_id="b"), user_id="u2", received_at=later(9))
    elsewhere = event("x", "i1", task="other", body=Validation(1.0), signal=HALF)
    store.write(lambda tx: put(tx, rated("a", "i1", "u1", 1.0), rated("b", "i2", "u2", 0.0, 1), judged, taken_back))
    store.write(lambda tx: put(tx, elsewhere))
    found = store.read(lambda tx: votes.recent_votes(tx, "erd", 10))
    assert [(vote.signal, vote.by_validator) for vote in found] == [(0.2, True), (1.0, False)]
    assert len(store.read(lambda tx: votes.recent_votes(tx, "erd", 1))) == 1
    assert store.read(lambda tx: votes.recent_judgements(tx, "erd", 3)) == [0.2, 1.0]


@pytest.mark.parametrize(("said_by", "left"), [({"user_id": "u1"}, 1), ({"user_id": "u9"}, 2), ({"trusted": True}, 0)])
def test_only_who_said_it_or_a_trusted_app_takes_a_vote_back(store: Store, said_by: dict[str, Any], left: int) -> None:
    """Or one hostile user's words would silence whoever disagrees with another."""
    taken_back = event("r", "i1", body=Retraction(interaction_id="i1"), received_at=later(9), **said_by)
    store.write(lambda tx: put(tx, rated("a", "i1", "u1", 1.0), rated("b", "i1", "u2", 0.0, 1), taken_back))
    assert len(store.read(lambda tx: votes.recent_votes(tx, "erd", 10))) == left
    assert len(store.read(lambda tx: votes.recent_judgements(tx, "erd", 10))) == left


def test_what_was_asked_for_is_no_vote(store: Store) -> None:
    """It was asked for where people are likely to disagree, so it says less of them than other votes."""

    def fill(tx: Connection) -> None:
        put(tx, rated("a", "i1", "u1", 1.0), rated("b", "i2", "u2", 0.0, 1))
        keep(tx, example("i1"), example("i2"))
        asked.mark_asked(tx, "erd", ["i2"], NOW)

    store.write(fill)
    assert [vote.user_id for vote in store.read(lambda tx: votes.recent_votes(tx, "erd", 10))] == ["u1"]


@pytest.mark.parametrize("change", [{"response": None}, {"messages": ()}])
def test_without_prompt_or_response_there_is_no_answer(change: dict[str, Any]) -> None:
    assert votes.answer_key(example(**change)) is None


def test_a_store_of_before_is_brought_up_to_date_and_its_examples_get_their_key_when_they_are_joined(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as tx:
        command.upgrade(migrations.config_for(tx), "0001")
        tx.execute(text("INSERT INTO example (task, interaction_id, rev) VALUES ('erd', 'i1', 1)"))
    engine.dispose()
    store = Store.open(url)
    try:
        store.write(lambda tx: put(tx, rated("a", "i1", "u1", 1.0), rated("b", "i2", "u2", 0.0, 1)))
        before = store.read(lambda tx: votes.recent_votes(tx, "erd", 10))
        store.write(lambda tx: keep(tx, example("i1"), example("i2")))
        after = store.read(lambda tx: votes.recent_votes(tx, "erd", 10))
    finally:
        store.close()
    assert len({vote.answer for vote in before}) == 2
    assert len({vote.answer for vote in after}) == 1
