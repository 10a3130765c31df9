"""`ask` over a store: what it shows, marks and counts, and that its answers are learned like any other."""

import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from daemon.actions.ask import ask_people, validator_scores
from daemon.actions.context import Context
from daemon.config import Config
from daemon.errors import NotFound
from storage import buffer, decisions
from storage.artifacts import Artifacts
from tests.daemon.desk import NOW, Desk, wire
from tests.daemon.metrics.pages import Page
from tests.learners.slow_service import slow_service


@pytest.fixture
def context(desk: Desk, tmp_path: Path) -> Context:
    return Context(desk.store, Artifacts(tmp_path), lambda: desk.config, lambda: NOW)


def fill(desk: Desk, count: int = 40) -> None:
    """Interactions of many users; some fall into dev and gate."""
    named = ({"interaction_id": f"i{n}", "user_id": f"u{n}", "prompt": f"Draw shop {n}."} for n in range(count))
    desk.send(*(wire(f"e{n}", "interaction", **fields) for n, fields in enumerate(named)))


def test_questions_show_prompt_and_answer_and_come_from_the_train_fold_alone(desk: Desk, context: Context) -> None:
    fill(desk)
    train = {name for name, fold in desk.folds().items() if fold == "train"}
    found = ask_people(context, "erd", 100)
    assert found.candidates == len(train)
    shown = {question.interaction_id for question in found.questions}
    assert shown
    assert shown <= train
    first = found.questions[0]
    assert first.prompt.startswith("Draw shop")
    assert first.response == "erDiagram"
    assert "the validator gave its answer" in first.reason


def test_whoever_asks_next_is_shown_others(desk: Desk, context: Context) -> None:
    fill(desk)
    first = {question.interaction_id for question in ask_people(context, "erd", 2).questions}
    second = {question.interaction_id for question in ask_people(context, "erd", 2).questions}
    assert len(first) == len(second) == 2
    assert not first & second


def test_with_nothing_left_it_says_why(context: Context) -> None:
    found = ask_people(context, "erd", 3)
    assert found.questions == []
    assert found.reason.startswith("nothing to ask about")


def test_a_task_that_is_not_learned_is_not_found(context: Context) -> None:
    with pytest.raises(NotFound, match="no task nowhere is learned here"):
        ask_people(context, "nowhere", 3)


def test_asking_is_written_down_without_what_users_wrote(desk: Desk, context: Context) -> None:
    fill(desk)
    with capture_logs() as logged:
        found = ask_people(context, "erd", 2)
    ((_, decision),) = desk.store.read(lambda tx: decisions.list_decisions(tx, kind="ask"))
    assert decision.detail == {"asked": 2}
    told = repr(logged) + repr(decision)
    assert all(question.interaction_id not in decision.reason for question in found.questions)
    assert "Draw shop" not in told


def test_an_answer_to_ask_is_learned_and_stays_out_of_the_means(desk: Desk, context: Context) -> None:
    page = Page(desk)
    fill(desk)
    question = ask_people(context, "erd", 1).questions[0].interaction_id
    other = next(name for name, fold in desk.folds().items() if fold == "train" and name != question)
    named = {name: desk.example(name).user_id for name in (question, other)}
    page.send(
        wire("bad", "validation", score=0.1, interaction_id=question, user_id=named[question]),
        wire("good", "validation", score=1.0, interaction_id=other, user_id=named[other]),
    )
    assert page.value("signal_count", task="erd", kind="validation") == 1
    assert page.value("reward_count", task="erd") == 1
    assert page.value("asked_reward_count", task="erd") == 1
    assert page.value("asked_reward_bucket", task="erd", le="0.0") == 1
    assert [value for _, value in desk.store.read(lambda tx: buffer.recent_signals(tx, "erd", 9))] == [1.0]
    opened = desk.store.read(lambda tx: buffer.open_examples(tx, "erd", settled_before=NOW, limit=9))
    assert {example.interaction_id for example in opened} == {question, other}


def test_without_a_validator_folds_are_drawn_by_asking_and_the_gate_gets_nothing_of_it(
    desk: Desk, context: Context
) -> None:
    desk.config = Config.model_validate({"tasks": {"erd": {}}})
    fill(desk)
    assert set(desk.folds().values()) == {None}
    shown = {question.interaction_id for question in ask_people(context, "erd", 100).questions}
    assert 0 < len(shown) < 40
    assert {name for name, fold in desk.folds().items() if fold == "train"} == shown
    told = (wire(f"r{name}", interaction_id=name, user_id=desk.example(name).user_id) for name in sorted(shown))
    desk.send(*told)
    assert {desk.folds()[name] for name in shown} == {"train"}


def test_people_are_asked_without_a_validator_that_cannot_be_asked(desk: Desk, context: Context) -> None:
    fill(desk)
    settings = {"url": "http://127.0.0.1:9/score", "token_file": "gone"}
    desk.config = Config.model_validate({"tasks": {"erd": {"validator": {"name": "http", "settings": settings}}}})
    assert len(ask_people(context, "erd", 3).questions) == 3


def test_people_are_asked_at_once_though_a_validators_service_hangs(desk: Desk, context: Context) -> None:
    fill(desk)
    began = time.monotonic()
    with slow_service("silent") as url:
        service = {"name": "http", "settings": {"url": url, "timeout": "60s"}}
        desk.config = Config.model_validate({"tasks": {"erd": {"validator": service}}})
        task = desk.config.task("erd")
        assert task is not None
        assert validator_scores(task, list(desk.examples().values())[:2], limit_s=0.05) == [None, None]
        assert time.monotonic() - began < 15  # the service hangs up after 20 s
