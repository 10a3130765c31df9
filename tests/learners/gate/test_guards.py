"""Guards see harm, and only where it is proven."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from learners.gate import Answer, GateRow, GateSettings
from learners.gate.guards import Guard, read_guards

from .evidence_rows import text

SETTINGS = GateSettings()
BUDGET = 0.025


def rows(candidate: Callable[[int], str], champion: Callable[[int], str] = text, count: int = 60) -> list[GateRow]:
    return [GateRow(str(at), 1.0, Answer(candidate(at)), Answer(champion(at))) for at in range(count)]


def read(given: list[GateRow], human: list[str] | None = None) -> dict[str, Guard]:
    return {guard.name: guard for guard in read_guards(given, human or [], SETTINGS, BUDGET, seed=1)}


def harmed(given: list[GateRow], human: list[str] | None = None) -> set[str]:
    return {name for name, guard in read(given, human).items() if guard.harmed}


def test_answers_like_the_champion_s_harm_nothing() -> None:
    assert harmed(rows(lambda at: text(at + 5))) == set()


def test_answers_three_times_as_long_or_a_third_are_harm() -> None:
    assert "length" in harmed(rows(lambda at: " ".join(text(at + k) for k in range(3))))
    assert "length" in harmed(rows(lambda at: text(at)[:12]))


def test_a_little_longer_is_none() -> None:
    guard = read(rows(lambda at: text(at) + " " + text(at)[:20]))["length"]
    assert (guard.harmed, guard.against) == (False, "champion")
    assert 1.2 < guard.value < 2


def test_humans_who_write_long_set_the_measure() -> None:
    def long(at: int) -> str:
        return " ".join(text(at + k) for k in range(4))

    assert "length" in harmed(rows(long))
    assert harmed(rows(long), human=[long(at) for at in range(100, 140)]) == set()
    assert read(rows(long), human=[long(at) for at in range(100, 140)])["length"].against == "human targets"


def test_a_candidate_no_farther_off_than_the_champion_is_not_blamed() -> None:
    human = [text(at)[:10] for at in range(40)]
    assert "length" not in harmed(rows(lambda at: text(at + 5)), human)
    assert "length" in harmed(rows(lambda at: text(at) + text(at)), human)


def test_one_answer_to_everything_is_a_collapse() -> None:
    assert {"entropy", "self-similarity"} <= harmed(rows(lambda _: text(1)))


def test_babbling_one_word_is_a_collapse() -> None:
    assert "entropy" in harmed(rows(lambda _: "order " * 8))


def test_where_humans_answer_alike_alikeness_is_no_harm() -> None:
    def yes_or_no(at: int) -> str:
        return "no" if at % 12 == 0 else "yes"

    assert harmed(rows(yes_or_no), human=[yes_or_no(at) for at in range(60)]) == set()


def test_where_humans_nearly_repeat_themselves_half_way_to_identical_is_the_limit() -> None:
    def form(at: int) -> str:
        return f"yes yes yes yes {at}"

    guard = read(rows(form), human=[form(at) for at in range(100, 160)])["self-similarity"]
    assert guard.value > SETTINGS.collapse_similarity
    assert not guard.harmed
    assert guard.limit == pytest.approx((1 + guard.reference) / 2)


def test_empty_answers_are_harm() -> None:
    assert {"length", "entropy", "self-similarity"} <= harmed(rows(lambda _: ""))


def with_checks(passes: Callable[[int], bool], before: Callable[[int], bool], count: int = 60) -> list[GateRow]:
    return [
        replace(
            row,
            candidate=replace(row.candidate, checks={"parses": passes(at)}),
            champion=replace(row.champion, checks={"parses": before(at)}),
        )
        for at, row in enumerate(rows(lambda at: text(at + 5), count=count))
    ]


def test_a_sub_check_that_falls_far_is_harm() -> None:
    guard = read(with_checks(lambda at: at % 3 != 0, lambda _: True))["sub-check parses"]
    assert guard.harmed
    assert guard.value == pytest.approx(-1 / 3)
    assert guard.words == "sub-check parses passes 33% less often"


def test_a_sub_check_that_falls_in_a_few_rows_is_not_proven() -> None:
    assert not read(with_checks(lambda at: at % 15 != 0, lambda _: True))["sub-check parses"].harmed


def test_a_sub_check_that_rises_is_none() -> None:
    assert not read(with_checks(lambda _: True, lambda at: at % 3 == 0))["sub-check parses"].harmed


def test_answers_that_run_into_the_token_limit_are_a_sub_check() -> None:
    cut = [
        replace(
            row,
            candidate=replace(row.candidate, finish_reason="length" if at % 2 else "stop"),
            champion=replace(row.champion, finish_reason="stop"),
        )
        for at, row in enumerate(rows(lambda at: text(at + 5)))
    ]
    assert harmed(cut) == {"sub-check finished"}


def test_a_sub_check_in_a_handful_of_rows_is_not_read() -> None:
    assert set(read(with_checks(lambda _: False, lambda _: True)[:9] + rows(text))) == {
        "length",
        "entropy",
        "self-similarity",
    }


def with_generic(candidate: float, champion: float, human: float | None = None, count: int = 100) -> list[GateRow]:
    """Rows of which these shares are generic."""
    return [
        replace(
            row,
            candidate=replace(row.candidate, measures={"generic": float(at < candidate * count)}),
            champion=replace(row.champion, measures={"generic": float(at < champion * count)}),
            target_generic=None if human is None else at < human * count,
        )
        for at, row in enumerate(rows(lambda at: text(at + 5), count=count))
    ]


def test_many_more_answers_that_fit_any_prompt_are_harm() -> None:
    guard = read(with_generic(0.4, 0.05))["generic"]
    assert guard.harmed
    assert guard.words == "40% of the answers would fit any prompt, 5% of the champion's"
    assert guard.limit == pytest.approx(0.1)


def test_a_few_more_generic_answers_are_not_proven() -> None:
    assert not read(with_generic(0.08, 0.05))["generic"].harmed
    assert not read(with_generic(0.05, 0.4))["generic"].harmed


def test_who_is_as_generic_as_humans_are_does_no_harm() -> None:
    guard = read(with_generic(0.4, 0.05, human=0.4))["generic"]
    assert (guard.harmed, guard.against) == (False, "champion and human targets")
    assert read(with_generic(0.4, 0.05, human=0.0))["generic"].harmed


def test_where_most_human_texts_are_generic_the_measure_does_not_fit_the_task() -> None:
    assert "generic" not in read(with_generic(1.0, 0.0, human=0.6))


def test_a_flood_of_one_user_s_generic_targets_does_not_turn_the_guard_off() -> None:
    """Weights are capped before guards read them, so the flood counts as a fifth here."""
    flooded = [
        replace(row, weight=0.25 / 0.75 * 0.25 if at >= 25 else 1.0, target_generic=at >= 25)
        for at, row in enumerate(with_generic(0.6, 0.0))
    ]
    assert "generic" in read(flooded)


def test_training_that_moved_the_adapter_too_far_is_harm() -> None:
    given = rows(lambda at: text(at + 5))
    for kl, expected in ((3.0, False), (8.5, True), (float("nan"), True)):
        (guard,) = (g for g in read_guards(given, [], SETTINGS, BUDGET, seed=1, kl=kl) if g.name == "kl")
        assert (guard.harmed, guard.limit) == (expected, SETTINGS.max_kl)
