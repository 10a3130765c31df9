"""What a task's answers fail in, for people: kinds in words, shares, examples, and users' words on request alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from daemon.actions.context import Context
from daemon.actions.failures import LONGEST, list_failures
from daemon.config import Config
from daemon.errors import Denied, NotFound, UsageError
from storage import failures, registry
from storage.artifacts import Artifacts
from storage.records import Diagnosis, Failure, Message
from storage.store import Store
from tests.daemon.desk import NOW
from tests.storage.makers import example, keep

KINDS = ["check:keys", "feedback:correction", "prompts:1", "prompts:2"]


def about(store: Store, tmp_path: Path, *, on: bool = True) -> Context:
    config = Config.model_validate({"learners": {"hard_negatives": on}, "tasks": {"erd": {}}})
    return Context(store, Artifacts(tmp_path), lambda: config, lambda: NOW)


@pytest.fixture
def context(store: Store, tmp_path: Path) -> Context:
    return about(store, tmp_path)


def seen(kind: str, count: int = 1, **changes: Any) -> Failure:
    values = {"first_seen_at": NOW - timedelta(days=3), "last_seen_at": NOW - timedelta(hours=2), "state": "open"}
    return Failure("erd", kind, count, **{**values, "state_since": NOW, **changes})


def known(store: Store) -> None:
    store.write(lambda tx: failures.save_failures(tx, [seen(kind) for kind in KINDS]))


def failing(store: Store, name: str, hours_ago: int, *kinds: str, **changes: Any) -> None:
    one = example(name, effective_at=NOW - timedelta(hours=hours_ago), **changes)
    store.write(lambda tx: keep(tx, one))
    store.write(lambda tx: failures.save_diagnoses(tx, "erd", [Diagnosis(name, NOW, "erd@v0", kinds)]))


def test_kinds_are_told_in_words_with_their_ages(store: Store, context: Context) -> None:
    known(store)
    found = {one.kind: one for one in list_failures(context, "erd").kinds}
    assert {kind: one.words for kind, one in found.items()} == {
        "check:keys": "fails the sub-check keys",
        "feedback:correction": "was changed by somebody",
        "prompts:1": "fails, and its prompt is of cluster 1 of 2",
        "prompts:2": "fails, and its prompt is of cluster 2 of 2",
    }
    assert (found["check:keys"].age_s, found["check:keys"].last_seen_age_s) == (3 * 86400, 2 * 3600)


def test_the_champions_share_is_of_its_own_answers_where_some_were_judged(store: Store, context: Context) -> None:
    known(store)
    assert [one.share for one in list_failures(context, "erd").kinds] == [None] * 4
    store.write(lambda tx: registry.ensure_line(tx, "erd", "hash", NOW))
    store.write(lambda tx: failures.add_to_tally(tx, "erd", "erd@v9", {"check:keys": 8}, 8))
    store.write(lambda tx: failures.add_to_tally(tx, "erd", "erd@v0", {"check:keys": 1}, 4))
    store.write(lambda tx: failures.set_gate_tally(tx, "erd", "erd@v0", {"check:keys": 2}, 8))
    found = {one.kind: (one.share, one.judged) for one in list_failures(context, "erd").kinds}
    assert (found["check:keys"], found["feedback:correction"]) == ((0.25, 12), (0.0, 4))


def test_a_kind_has_its_newest_examples_without_what_users_wrote(store: Store, context: Context) -> None:
    known(store)
    failing(store, "old", 9, "check:keys", adapter="erd@v1")
    failing(store, "new", 1, "check:keys", "prompts:1")
    failing(store, "other", 0, "prompts:1", "check:keys-too")
    failing(store, "gone", 0, "check:keys", withdrawn=True)
    found = list_failures(context, "erd", "check:keys")
    assert [one.kind for one in found.kinds] == ["check:keys"]
    assert found.examples is not None
    shown = [(one.interaction_id, one.age_s, one.adapter, one.prompt, one.answer) for one in found.examples]
    assert shown == [("new", 3600, None, None, None), ("old", 9 * 3600, "erd@v1", None, None)]
    assert [one.interaction_id for one in list_failures(context, "erd", "check:keys", 1).examples or ()] == ["new"]


def test_texts_are_shown_on_request_in_a_line_each_and_told_to_no_log(store: Store, context: Context) -> None:
    known(store)
    asked = (Message("user", "Draw\n\x1b[31ma secret  shop."),)
    failing(store, "a", 1, "check:keys", messages=asked, response="x" * 9999)
    with capture_logs() as logged:
        (shown,) = list_failures(context, "erd", "check:keys", texts=True).examples or []
    assert shown.prompt == "Draw [31ma secret shop."
    assert shown.answer == "x" * (LONGEST - 1) + "…"
    assert "secret" not in repr(logged)


def test_what_was_found_is_still_told_after_the_learner_was_switched_off(store: Store, tmp_path: Path) -> None:
    known(store)
    found = list_failures(about(store, tmp_path, on=False), "erd")
    assert (found.on, [one.kind for one in found.kinds]) == (False, KINDS)


def test_with_the_learner_off_and_nothing_known_it_says_how_to_switch_on(store: Store, tmp_path: Path) -> None:
    with pytest.raises(Denied, match="adaptd learners enable hard_negatives --task erd"):
        list_failures(about(store, tmp_path, on=False), "erd")


def test_before_anything_failed_there_is_nothing_to_list(context: Context) -> None:
    assert list_failures(context, "erd").kinds == []
    with pytest.raises(NotFound, match="no kind of failure check:keys; nothing was found to fail yet"):
        list_failures(context, "erd", "check:keys")


def test_what_is_not_there_is_said_with_what_is(store: Store, context: Context) -> None:
    known(store)
    with pytest.raises(NotFound, match="no task nowhere is learned here"):
        list_failures(context, "nowhere")
    with pytest.raises(NotFound, match=f"no kind of failure check:x; there are {', '.join(KINDS)}"):
        list_failures(context, "erd", "check:x")
    with pytest.raises(UsageError, match="texts are shown with a kind alone"):
        list_failures(context, "erd", texts=True)
