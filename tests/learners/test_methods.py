"""Methods as the daemon sees them: found by file name, with their settings and what they learn from."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from learners.methods import UnknownMethod, find_method, methods
from learners.methods.dpo import DpoSettings
from learners.methods.kto import KtoSettings, balanced
from learners.methods.sft import SftSettings
from storage.records import Message, Origin, Row

ROW = Row(
    (Message("user", "q"),), "a", "response", 0.8, 0.2, 1.0, Origin("i1", 1), None, datetime(2026, 1, 1, tzinfo=UTC)
)


def test_every_method_is_found_under_its_own_name_and_has_code_that_trains_it() -> None:
    assert set(methods()) >= {"dpo", "kto", "noop", "sft"}
    for name, method in methods().items():
        assert method.name == name
        assert method.Settings() == method.Settings.model_validate({})
        assert importlib.util.find_spec(f"learners.training.{name}") is not None


def test_an_unknown_method_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownMethod, match="dpo, kto, noop, sft"):
        find_method("dpo2")


@pytest.mark.parametrize(
    ("row", "taken"),
    [
        (ROW, True),
        (replace(ROW, signal=0.74), False),
        (replace(ROW, reward=0.0), False),
        (replace(ROW, reward=-0.1), False),
        (replace(ROW, fails_check=True), False),
        (replace(ROW, role="target", signal=0.1), True),
        (replace(ROW, role="pair", signal=1.0, rejected="b"), False),
    ],
    ids=[
        "good response",
        "weak response",
        "one that is neither good nor bad",
        "a bad one",
        "one that fails",
        "a human's text",
        "a pair",
    ],
)
def test_sft_learns_from_targets_and_from_responses_that_pass_the_floor(row: Row, taken: bool) -> None:
    assert find_method("sft").takes(row, SftSettings(min_signal=0.75)) is taken


def test_dpo_learns_from_pairs_alone() -> None:
    rows = [replace(ROW, role="target"), ROW, replace(ROW, role="pair", rejected="b")]
    assert [row.role for row in rows if find_method("dpo").takes(row, DpoSettings())] == ["pair"]


@pytest.mark.parametrize(("reward", "taken"), [(1.0, True), (0.11, True), (0.1, False), (-0.1, False), (-0.2, True)])
def test_kto_learns_from_single_texts_whose_reward_is_outside_the_dead_zone(reward: float, taken: bool) -> None:
    kto, settings = find_method("kto"), KtoSettings(dead_zone=0.1)
    assert kto.takes(replace(ROW, reward=reward), settings) is taken
    assert kto.takes(replace(ROW, reward=reward, role="target"), settings) is taken
    assert not kto.takes(replace(ROW, reward=reward, role="pair", rejected="b"), settings)


def test_kto_never_raises_what_is_known_to_fail_a_check_whoever_liked_it() -> None:
    kto, failing = find_method("kto"), replace(ROW, fails_check=True)
    assert not kto.takes(replace(failing, reward=1.0), KtoSettings())
    assert kto.takes(replace(failing, reward=-1.0), KtoSettings())


def test_kto_wants_both_signs_and_a_second_prompt() -> None:
    other = replace(ROW, messages=(Message("user", "another"),), reward=-1.0)
    assert find_method("kto").lacks([ROW, other]) == ""
    assert "one sign alone" in find_method("kto").lacks([ROW, replace(other, reward=0.5)])
    assert "one prompt alone" in find_method("kto").lacks([ROW, replace(other, messages=ROW.messages)])


@pytest.mark.parametrize(("ratio", "liked", "disliked"), [(1.0, 2.0, 2.0), (4 / 3, 16 / 7, 12 / 7)])
def test_both_sides_of_kto_count_alike_however_many_they_are(ratio: float, liked: float, disliked: float) -> None:
    weights = balanced([0.5, 2.0, 1.0, 1.0], [True, False, False, False], ratio)
    assert weights[0] == pytest.approx(liked)
    assert sum(weights[1:]) == pytest.approx(disliked)
    assert weights[1] == pytest.approx(2 * weights[2])


def test_only_the_method_for_tests_works_alone() -> None:
    assert [name for name, method in methods().items() if method.alone] == ["noop"]


def test_sft_settings_refuse_what_they_do_not_know_and_no_steps() -> None:
    with pytest.raises(ValueError):
        SftSettings.model_validate({"learning_rat": 1})
    with pytest.raises(ValueError):
        SftSettings(steps=0)


def test_noop_takes_sizes_and_durations_as_people_write_them() -> None:
    settings = find_method("noop").Settings.model_validate({"size": "1KiB", "step_time": "2s"})
    assert (settings.size, settings.step_time) == (1024, 2.0)  # type: ignore[attr-defined]
