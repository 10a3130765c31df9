"""What an answer failed in, in which cluster of prompts, and when a kind of failure counts as fixed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import comb
from random import Random
from typing import Any

import pytest

from consumers.rewards import RewardSettings
from learners.failures import Findings, examine, failed_checks, frame_of, in_states, in_words, kinds_of, state_of
from learners.validators import Validated, open_validator
from storage.records import Example, Failure, FailureState, Message, Pair, Scalar, Tally, Target
from tests.storage.makers import NOW, example, later

REWARDS = RewardSettings()
NOTHING_WRONG = Validated(1.0, True, {"parses": True}, {"parses": 1.0})
FAULTY = Validated(0.4, False, {"parses": True, "keys": False, "relations": False}, {})


def asked(prompt: str, response: str = "erDiagram", name: str = "i1", **changes: Any) -> Example:
    return example(name, messages=(Message("user", prompt),), response=response, **{"scalar": None, **changes})


def corrected(prompt: str, wanted: str, name: str = "i1") -> Example:
    return asked(prompt, "nonsense", name, correction=Target(wanted, 0.2, NOW, "u1"))


def look(*examples: Example, before: Findings | None = None, adapter: str = "erd@v1") -> Findings:
    known = before.kinds if before else {}
    again = {one.interaction_id: one.kinds for one in before.diagnoses} if before else {}
    return examine([(one, adapter) for one in examples], known, again, REWARDS, None, NOW)


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, ()),
        ({"scalar": Scalar(0.9, 1, NOW)}, ()),
        ({"scalar": Scalar(0.2, 1, NOW)}, ("feedback:score",)),
        ({"correction": Target("better", 0.3, NOW, "u1")}, ("feedback:correction",)),
        ({"correction": Target("erDiagram", 1.0, NOW, "u1")}, ()),
        ({"pairs": (Pair("better", "erDiagram", False, NOW, "u1"),)}, ("feedback:preference",)),
        ({"pairs": (Pair("better", "erDiagram", True, NOW, "u1"),)}, ()),
        ({"pairs": (Pair("erDiagram", "worse", False, NOW, "u1"),)}, ()),
    ],
)
def test_feedback_says_in_what_an_answer_failed(changes: dict[str, Any], kinds: tuple[str, ...]) -> None:
    assert kinds_of(asked("draw", **changes), NOTHING_WRONG, REWARDS) == kinds


def test_each_sub_check_that_did_not_pass_is_a_kind() -> None:
    assert kinds_of(asked("draw"), FAULTY, REWARDS) == ("check:keys", "check:relations")


def test_a_real_validator_is_asked_about_the_last_question() -> None:
    validator = open_validator("mermaid_erd")
    one = asked("Draw these entities: Customer, Order.", "erDiagram\n  Customer {\n    int id PK\n  }")
    (found,) = examine([(one, "erd@v1")], {}, {}, REWARDS, validator, NOW).diagnoses
    assert found.kinds == ("check:entities", "check:keys", "check:relations", "prompts:1")


def test_prompts_that_ask_the_same_of_other_things_are_one_cluster_and_a_rare_turn_its_own() -> None:
    form = "Draw an entity-relation diagram for these entities: {0}, {1}."
    pairs = (("Shop", "Cart"), ("Dog", "BoneAge"))
    plain = [corrected(form.format(*pair), "whatever", str(pair)) for pair in pairs]
    rare = corrected(form.format("Shop", "Cart") + " Cart refers to itself.", "Shop Cart", "rare")
    found = look(*plain, rare)
    assert [one.kinds[-1] for one in found.diagnoses] == ["prompts:1", "prompts:1", "prompts:2"]
    assert [found.kinds[name].count for name in ("feedback:correction", "prompts:1", "prompts:2")] == [3, 2, 1]


def test_without_names_what_is_answered_is_not_part_of_what_is_asked() -> None:
    frames = {frame_of(corrected(f"how many {what} are there?", f"three {what}")) for what in ("dogs", "cats")}
    assert len(frames) == 1


def test_clusters_are_bounded_and_hold_no_words() -> None:
    found = look(*(corrected(f"word{n} text{n} other{n}", "x", str(n)) for n in range(60)))
    clusters = [one for one in found.kinds.values() if one.kind.startswith("prompts:")]
    assert len(clusters) == 32
    assert sum(one.count for one in clusters) == 60
    assert all(isinstance(word, int) for one in clusters for word in one.words)


def test_an_answer_without_fault_is_judged_and_fails_in_nothing() -> None:
    found = look(asked("draw", scalar=Scalar(1.0, 1, NOW)))
    assert found.diagnoses[0].kinds == ()
    assert (found.failed["erd@v1"], found.judged) == ({}, {"erd@v1": 1})


def test_what_has_no_response_was_not_judged() -> None:
    assert look(replace(asked("draw"), response=None)).diagnoses == ()


def test_later_feedback_counts_only_what_is_new() -> None:
    one = corrected("draw", "better")
    first = look(one)
    second = look(replace(one, scalar=Scalar(0.1, 1, NOW), last_signal_at=later(9)), before=first)
    assert second.diagnoses[0].kinds == ("feedback:score", "feedback:correction", "prompts:1")
    assert second.failed["erd@v1"] == {"feedback:score": 1}
    assert second.judged["erd@v1"] == 0
    assert second.kinds["feedback:correction"].count == 1


def test_the_first_and_last_time_are_those_of_the_feedback() -> None:
    times = [NOW, NOW - timedelta(days=3), NOW - timedelta(days=1)]
    found = look(*(replace(corrected("draw", "x", str(at)), effective_at=at) for at in times))
    kind = found.kinds["feedback:correction"]
    assert (kind.first_seen_at, kind.last_seen_at) == (times[1], NOW)


@pytest.mark.parametrize(
    ("state", "before", "now", "after"),
    [
        ("open", Tally(), Tally(5, 10), "open"),  # nothing to compare with
        ("open", Tally(50, 100), Tally(4, 10), "open"),  # by chance
        ("open", Tally(50, 100), Tally(10, 60), "shrinking"),
        ("open", Tally(50, 100), Tally(0, 5), "open"),  # five right ones prove nothing
        ("open", Tally(50, 100), Tally(0, 19), "open"),  # nor nineteen
        ("open", Tally(50, 100), Tally(0, 20), "fixed"),
        ("open", Tally(1, 1), Tally(0, 30), "open"),  # one wrong one before proves as little
        ("open", Tally(50, 100), Tally(0, 60), "fixed"),
        ("open", Tally(5, 100), Tally(0, 61), "open"),  # a rare kind needs more evidence
        ("open", Tally(5, 100), Tally(0, 100), "shrinking"),  # 1 in 32 by chance
        ("open", Tally(5, 100), Tally(0, 160), "fixed"),  # 1 in 119
        ("shrinking", Tally(50, 100), Tally(30, 60), "open"),
        ("fixed", Tally(50, 100), Tally(0, 1), "fixed"),
        ("fixed", Tally(50, 100), Tally(1, 100), "fixed"),  # as rare as it may be
        ("fixed", Tally(50, 160), Tally(5, 60), "back again"),
        ("back again", Tally(50, 160), Tally(20, 60), "back again"),
        ("back again", Tally(70, 220), Tally(4, 60), "shrinking"),
        ("back again", Tally(70, 220), Tally(0, 60), "fixed"),
        ("open", Tally(3000, 6000), Tally(1500, 3000), "open"),  # large numbers do not underflow
    ],
)
def test_a_kind_is_open_shrinking_fixed_or_back_again(
    state: FailureState, before: Tally, now: Tally, after: FailureState
) -> None:
    assert state_of(state, before, now) == after


@pytest.mark.parametrize(("before", "now"), [(20, 20), (20, 60), (60, 30)])
@pytest.mark.parametrize("rate", [0.03, 0.1, 0.3, 0.5])
def test_at_equal_rates_no_more_than_one_in_twenty_looks_better(rate: float, before: int, now: int) -> None:
    """Exactly: the probability of each count of failures in which it would be called so."""
    better = sum(
        _exactly(one, before, rate) * _exactly(other, now, rate)
        for one in range(before + 1)
        for other in range(now + 1)
        if state_of("open", Tally(one, before), Tally(other, now)) != "open"
    )
    assert better <= 0.05


@pytest.mark.parametrize("before", [20, 60, 200])
@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_of_what_fails_as_before_few_become_fixed_in_twenty_looks(rate: float, before: int) -> None:
    random, ended = Random(7), list[FailureState]()
    for _ in range(300):
        known, now = Tally(_failures(random, before, rate), before), Tally()
        state: FailureState = "open"
        for _ in range(20):
            now += Tally(_failures(random, 5, rate), 5)
            state = state if state == "fixed" else state_of(state, known, now)
        ended.append(state)
    assert ended.count("fixed") / 300 <= 0.025


def _exactly(count: int, of: int, rate: float) -> float:
    return comb(of, count) * rate**count * (1 - rate) ** (of - count)


def _failures(random: Random, answers: int, rate: float) -> int:
    return sum(random.random() < rate for _ in range(answers))


def test_only_kinds_whose_state_changed_are_returned_with_the_time() -> None:
    kinds = [Failure("erd", name, 1, NOW, NOW, "open", NOW) for name in ("check:keys", "check:parses")]
    tallies = {
        "check:keys": {"erd@v0": Tally(50, 100), "erd@v1": Tally(0, 60)},
        "check:parses": {"erd@v0": Tally(50, 100), "erd@v1": Tally(30, 60)},
    }
    (changed,) = in_states(kinds, tallies, "erd@v1", later(5))
    assert (changed.kind, changed.state, changed.state_since) == ("check:keys", "fixed", later(5))


def test_names_of_sub_checks_without_end_are_one_kind_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("learners.failures.MOST_CHECKS", 3)

    class Inventive:
        def __init__(self) -> None:
            self.said = 0

        def validate(self, prompt: str, answer: str) -> Validated:
            self.said += 1
            return Validated(0.0, False, {"old": False, f"new{self.said}": False}, {})

    given = [(example(str(at)), "erd@v0") for at in range(6)]
    found = examine(given, {}, {}, REWARDS, Inventive(), NOW)
    counts = {kind: one.count for kind, one in found.kinds.items() if kind.startswith("check:")}
    assert counts == {"check:old": 6, "check:new1": 1, "check:new2": 1, "check:others": 4}
    assert in_words("check:others", 0) == "fails a sub-check beyond the first 3 names"
    answers = [{"old": False, f"new{at}": False} for at in range(6)]
    failed, judged = failed_checks(answers)
    assert (len(failed), failed["check:old"], judged) == (3, 6, 6)


def test_the_gates_answers_are_counted_by_sub_check() -> None:
    answers = [{"keys": False, "parses": True}, {"keys": False, "parses": False}, {"keys": True, "parses": True}, {}]
    assert failed_checks(answers) == ({"check:keys": 2, "check:parses": 1}, 3)
