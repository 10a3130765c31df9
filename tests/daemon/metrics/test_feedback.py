"""What intake commits shows on the page: events by kind and outcome, signals, rewards, similarity, join delay."""

from __future__ import annotations

import pytest

from tests.daemon.desk import wire
from tests.daemon.metrics.pages import Page


def test_each_event_is_counted_once_by_kind_and_by_what_became_of_it(page: Page) -> None:
    page.send(wire("e1"), wire("e2", "thumb"), b"no json", wire("e1"), wire("e2", "thumb", thumb="down"))
    events = {
        (kind, outcome): page.value("events_total", source="http", kind=kind, outcome=outcome)
        for kind in ("rating", "thumb", "unreadable")
        for outcome in ("stored", "duplicate", "dead_letter")
    }
    assert {key: count for key, count in events.items() if count} == {
        ("rating", "stored"): 1,
        ("rating", "duplicate"): 1,
        ("thumb", "stored"): 1,
        ("thumb", "dead_letter"): 1,  # the same id with other content
        ("unreadable", "dead_letter"): 1,
    }


def test_every_series_begins_at_0_so_that_the_first_event_is_seen_to_raise_it(page: Page) -> None:
    page.desk.config = page.desk.config.model_copy(update={"sources": ()})
    page.send(wire("e1"))
    assert page.value("events_stored_total", task="erd", kind="rating") == 1
    assert page.value("events_stored_total", task="erd", kind="thumb") == 0
    assert page.value("signal_count", task="erd", kind="thumb") == 0


def test_a_task_that_the_config_does_not_declare_is_other(page: Page) -> None:
    page.send(wire("e1", task="my-secret"), wire("e2", "correction", task="my-secret", response="a b", prompt="c"))
    assert page.value("events_stored_total", task="other", kind="rating") == 1
    assert page.value("signal_count", task="other", kind="rating") == 1
    assert "my-secret" not in page.text()


def test_signals_become_rewards_under_the_config_of_the_task(page: Page) -> None:
    page.send(wire("e1", "validation", score=0.7), wire("e2", "validation", score=1.0, interaction_id="i2"))
    assert page.value("signal_sum", task="erd", kind="validation") == pytest.approx(1.7)
    assert page.value("reward_bucket", task="erd", le="0.0") == 1  # 0.7 is the midpoint
    assert page.value("reward_count", task="erd") == 2


def test_similarity_is_counted_when_the_answer_comes_after_its_correction(page: Page) -> None:
    page.send(wire("e1", "correction"))
    assert page.value("similarity_count", task="erd", part="edit") == 0
    page.send(wire("e2", "interaction"))
    assert page.value("similarity_count", task="erd", part="edit") == 1
    assert page.value("signal_count", task="erd", kind="correction") == 1
    assert page.value("join_delay_seconds_count", task="erd", first="interaction") == 1


def test_fields_that_nobody_knows_are_counted(page: Page) -> None:
    page.send(wire("e1", mood="fine", weather="wet"))
    assert page.value("unknown_fields_total", source="http") == 2
