"""Whether an update has a preference phase, and what each of its phases trains on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from learners.methods import find_method
from learners.methods.dpo import DpoSettings
from learners.methods.kto import KtoSettings
from learners.methods.sft import SftSettings
from learners.preference import (
    MIN_PAIRS,
    JudgedCounts,
    Sorted,
    Wanted,
    choose_preference,
    count_rows,
    roles_in_words,
    rows_to_train,
    sort_rows,
    with_replay,
)
from storage.records import Message, Origin, Row

METHODS = [(find_method("sft"), SftSettings()), (find_method("dpo"), DpoSettings())]
TARGET = Row(
    (Message("user", "q"),), "a", "target", 1.0, 1.0, 1.0, Origin("t", 1), None, datetime(2026, 1, 1, tzinfo=UTC)
)


def targets(count: int, name: str = "t", weight: float = 1.0) -> list[Row]:
    return [replace(TARGET, origin=Origin(f"{name}{i}", 1), weight=weight) for i in range(count)]


def pairs(count: int, name: str = "p", weight: float = 1.0) -> list[Row]:
    return [replace(row, role="pair", rejected="b") for row in targets(count, name, weight)]


@pytest.mark.parametrize(
    ("wanted", "counts", "method", "reason"),
    [
        ("off", (99, 99, 99), None, "learners.preference is off"),
        ("auto", (15, 7, 99), None, "15 of 16 pairs, 7 of 8 liked and 99 of 8 disliked answers; learners.preference: "
         "auto wants either"),
        ("auto", (16, 99, 99), "dpo", "dpo on 16 pairs (learners.preference: auto)"),
        ("auto", (15, 8, 9), "kto", "kto on 8 liked and 9 disliked answers (learners.preference: auto; "
         "15 of 16 pairs)"),
        ("auto_checked", (15, 99, 99), None, "15 of 16 pairs; learners.preference: auto takes no kto where "
         "hard_negatives checks what was liked"),
        ("auto_checked", (16, 99, 99), "dpo", "dpo on 16 pairs (learners.preference: auto)"),
        ("dpo", (1, 99, 99), "dpo", "dpo on 1 pairs (learners.preference: dpo)"),
        ("dpo", (0, 99, 99), None, "no pairs"),
        ("kto", (99, 1, 1), "kto", "kto on 1 liked and 1 disliked answers (learners.preference: kto)"),
        ("kto", (99, 0, 5), None, "0 of 1 liked and 5 of 1 disliked answers that learners.preference: kto needs"),
    ],
)  # fmt: skip
def test_auto_takes_dpo_then_kto_where_there_is_enough_for_it(
    wanted: Wanted, counts: tuple[int, int, int], method: str | None, reason: str
) -> None:
    choice = choose_preference(wanted, JudgedCounts(*counts))
    assert (choice.method, choice.on, choice.reason) == (method, method is not None, reason)


def test_sft_comes_first_and_the_preference_phase_after_it() -> None:
    found = sort_rows([*pairs(16), *targets(3)], [], [*pairs(2, "d"), *targets(1, "e")], METHODS, "auto")
    sizes = [(phase.method, len(phase.batch), len(phase.dev)) for phase in found.phases]
    assert sizes == [("sft", 3, 1), ("dpo", 16, 2)]
    assert not found.no_method


def test_too_few_pairs_are_no_method_and_train_nowhere() -> None:
    found = sort_rows([*pairs(15), *targets(3)], [], [], METHODS, "auto")
    assert found.no_method == {"pair": 15}
    assert [(phase.method, len(phase.batch)) for phase in found.phases] == [("sft", 3), ("dpo", 0)]
    assert [phase.method for phase in with_replay(found.phases, [], "auto")] == ["sft"]
    assert roles_in_words(found.no_method, found.preference) == (
        "15 pair (no method: 15 of 16 pairs, 0 of 8 liked and 0 of 8 disliked answers; learners.preference: auto wants "
        "either)"
    )


def test_what_earlier_pairs_taught_is_replayed_though_the_batch_has_too_few_new_ones() -> None:
    learned = [*pairs(20, "old"), *targets(5, "older")]
    found = sort_rows([*pairs(2), *targets(3)], learned, [], METHODS, "auto")
    phases = with_replay(found.phases, learned, "auto")
    assert count_rows(phases) == {
        "sft": {"new": 3, "replayed": 5, "dev": 0},
        "dpo": {"new": 0, "replayed": 20, "dev": 0},
    }
    assert all(row.replay for row in phases[1].learned)


def test_a_few_replayed_pairs_alone_make_no_phase() -> None:
    learned = pairs(20, "old")
    found = sort_rows(targets(3), learned, [], METHODS, "auto")
    assert [phase.method for phase in with_replay(found.phases, learned[: MIN_PAIRS - 1], "auto")] == ["sft"]


def test_with_preference_off_earlier_pairs_are_not_replayed() -> None:
    found = sort_rows(targets(3), pairs(20, "old"), [], METHODS[:1], "off")
    assert [phase.method for phase in with_replay(found.phases, pairs(20, "old"), "off")] == ["sft"]


def test_weights_have_mean_1_in_each_phase_however_the_phases_compare() -> None:
    found = sort_rows([*pairs(16, weight=0.01), *targets(4)], [], [], METHODS, "auto")
    for phase in with_replay(found.phases, [], "auto"):
        weights = [row.weight for row in rows_to_train(phase)]
        assert sum(weights) / len(weights) == pytest.approx(1)


ALL = [*METHODS, (find_method("kto"), KtoSettings())]


def answers(count: int, liked: bool, name: str | None = None, reward: float | None = None) -> list[Row]:
    sign = 1.0 if liked else -1.0
    found = targets(count, name or ("up" if liked else "down"))
    return [replace(row, role="response", signal=float(liked), reward=reward or sign) for row in found]


def sizes(found: Sorted) -> dict[str, int]:
    return {phase.method: len(phase.batch) for phase in found.phases if phase.batch}


def test_sft_gives_up_every_liked_answer_to_kto_and_keeps_what_humans_wrote() -> None:
    found = sort_rows([*answers(30, True), *answers(12, False), *targets(5)], [], [], ALL, "auto")
    assert found.preference.method == "kto"
    assert sizes(found) == {"sft": 5, "kto": 30 + 12}
    assert count_rows(with_replay(found.phases, [], "auto"))["kto"] == {
        "new": 42, "replayed": 0, "dev": 0, "liked": 30, "disliked": 12, "given up by sft": 30,
    }  # fmt: skip
    trained = [row.origin for phase in found.phases for row in phase.batch]
    assert len(trained) == len(set(trained)), "a row trains in one phase"


def test_targets_stay_with_sft_but_for_the_few_without_which_there_would_be_no_kto() -> None:
    enough = sort_rows([*answers(9, True), *answers(20, False), *targets(20)], [], [], ALL, "auto")
    assert sizes(enough) == {"sft": 20, "kto": 29}
    without = sort_rows([*answers(20, False), *targets(20)], [], [], ALL, "auto")
    assert sizes(without) == {"sft": 12, "kto": 28}
    few = sort_rows([*answers(20, False), *targets(10)], [], [], ALL, "auto")
    assert sizes(few) == {"sft": 10}, "five of them are not enough for kto, so none is given"
    assert few.no_method == {"response": 20}


def test_answers_inside_the_dead_zone_are_neither_liked_nor_disliked() -> None:
    wide = [*METHODS, (find_method("kto"), KtoSettings(dead_zone=0.5))]
    rows = [*answers(9, True), *answers(9, False), *answers(4, False, "meh", -0.5)]
    found = sort_rows(rows, [], [], wide, "kto")
    assert sizes(found) == {"kto": 18}
    assert found.no_method == {"response": 4}


def test_enough_pairs_are_dpo_and_the_disliked_answers_wait() -> None:
    found = sort_rows([*pairs(16), *answers(20, True), *answers(20, False)], [], [], ALL, "auto")
    assert sizes(found) == {"sft": 20, "dpo": 16}
    assert found.no_method == {"response": 20}


def test_an_update_has_at_most_one_preference_phase_also_of_what_is_replayed() -> None:
    learned = [*pairs(20, "old"), *answers(20, True, "older"), *answers(20, False, "oldest")]
    found = sort_rows([*answers(9, True), *answers(9, False)], learned, [], ALL, "auto")
    assert [phase.method for phase in with_replay(found.phases, learned, "auto")] == ["kto"]
    quiet = sort_rows(targets(3), learned, [], ALL, "auto")
    phases = with_replay(quiet.phases, learned, "auto")
    assert [(phase.method, len(phase.batch), len(phase.learned)) for phase in phases] == [
        ("sft", 3, 20),
        ("dpo", 0, 20),
    ]
    judged = sort_rows(targets(3), learned[20:], [], ALL, "auto")
    phases = with_replay(judged.phases, learned[20:], "auto")
    assert [(phase.method, len(phase.batch), len(phase.learned)) for phase in phases] == [("sft", 3, 0), ("kto", 0, 40)]


def test_the_dev_fold_of_kto_is_read_only_where_it_has_both_signs_and_two_prompts() -> None:
    batch = [*answers(9, True), *answers(9, False)]
    of_one, of_both = answers(10, False, "dev"), [*answers(10, False, "dev"), *answers(3, True, "devs")]
    to_two = [*of_both[:-1], replace(of_both[-1], messages=(Message("user", "another"),))]
    found = [sort_rows(batch, [], dev, ALL, "auto") for dev in (of_one, of_both, to_two)]
    assert [len(each.phases[-1].dev) for each in found] == [0, 0, 13]


def test_of_a_pool_the_batch_by_default_decides_on_phases_and_on_the_targets_that_are_lent() -> None:
    counted = [*answers(10, False, "in"), *targets(20, "in t")]
    pool = [*counted, *answers(9, True, "out"), *pairs(20, "out p")]
    found = sort_rows(pool, [], [], ALL, "auto", counted)
    assert found.preference.reason.startswith("kto on 8 liked and 10 disliked answers")
    assert sizes(found) == {"sft": 12, "kto": 10 + 8 + 9}, "whatever is chosen of the pool, liked answers are KTO's"
    assert sizes(sort_rows(pool, [], [], ALL, "auto")) == {"sft": 29, "dpo": 20}
