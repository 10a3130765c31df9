"""Whatever is dropped on the way to a plan, no method is left with rows from which it cannot learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from learners.job import MadeRows, Phase, TrainJob
from learners.job_files import write_rows
from storage.records import Message, Row
from tests.learners.training.tiny import make_tokenizer, row

pytestmark = pytest.mark.train

SFT, KTO = Phase(method="sft", settings={"min_signal": 0.75}), Phase(method="kto", settings={"batch_size": 4})
ONE_SIGN = "of one sign alone: kto needs liked and disliked answers"


@cache
def tokenizer() -> Any:
    return make_tokenizer()


def answer(number: int, liked: bool, weight: float = 1.0) -> Row:
    reward = 1.0 if liked else -1.0
    return replace(row(number, weight=weight), role="response", reward=reward, signal=float(liked))


def answers(liked: int, disliked: int) -> list[Row]:
    return [answer(number, number < liked) for number in range(liked + disliked)]


def part(phase: Phase, rows: Sequence[Row], dev: Sequence[Row] = (), first_line: int = 0) -> Any:
    from learners.training.parts import Part
    from learners.training.rows import encode

    return Part(phase, encode(tokenizer(), rows, 256, first_line), encode(tokenizer(), dev, 256))


def signs(found: Any) -> tuple[int, int]:
    liked = sum(one.desirable for one in found.rows.rows)
    return liked, len(found.rows.rows) - liked


@pytest.mark.parametrize(("disliked", "targets_found", "stay"), [(3, 3, 3), (8, 8, 8), (11, 11, 8), (20, 8, 12)])
def test_disliked_answers_give_way_to_found_targets_only_while_kto_keeps_as_many_as_it_needs(
    disliked: int, targets_found: int, stay: int
) -> None:
    from learners.training.parts import with_made

    given = answers(8, disliked)
    lines = tuple(range(8, 8 + targets_found))
    targets = tuple(row(line, completion="found") for line in lines)
    made = MadeRows(rows=targets, parents=lines, gave_way=lines)
    job = cast(TrainJob, SimpleNamespace(model=SimpleNamespace(max_context=256)))
    (found,) = with_made([part(KTO, given)], made, job, tokenizer(), given)
    assert signs(found) == (8 + len(lines), stay)


def test_what_sft_gave_up_for_kto_comes_back_where_kto_cannot_learn_from_what_is_left() -> None:
    from learners.training.parts import workable

    given = [row(0), row(1, weight=3.0), *answers(5, 0)]
    dev = [answer(50, True), answer(51, False)]
    sft, kto = workable([part(SFT, given[:2]), part(KTO, given[2:], dev, first_line=2)], given, dev)
    assert [one.line for one in sft.rows.rows] == list(range(7))
    assert sum(one.weight for one in sft.rows.rows) == pytest.approx(7)
    assert [one.line for one in sft.dev.rows] == [0]
    assert sft.notes == (f"5 rows given back by kto, which were {ONE_SIGN}",)
    assert (kto.rows.rows, kto.rows.dropped) == ((), {})


def test_a_liked_answer_that_fails_a_check_does_not_come_back_to_sft() -> None:
    from learners.training.parts import workable

    failing = [replace(one, fails_check=True) for one in answers(5, 0)]
    given = [row(0), *failing]
    sft, kto = workable([part(SFT, given[:1]), part(KTO, given[1:], first_line=1)], given, ())
    assert [one.line for one in sft.rows.rows] == [0]
    assert kto.rows.dropped == {ONE_SIGN: 5}


def test_what_no_other_phase_learns_from_is_counted_as_dropped() -> None:
    from learners.training.parts import workable

    given = [row(0), *answers(0, 5)]
    sft, kto = workable([part(SFT, given[:1]), part(KTO, given[1:], first_line=1)], given, ())
    assert len(sft.rows.rows) == 1
    assert (kto.rows.rows, kto.rows.dropped) == ((), {ONE_SIGN: 5})


def test_phases_that_can_learn_from_their_rows_stay_as_they_are() -> None:
    from learners.training.parts import workable

    given = [row(0), *answers(2, 1)]
    parts = [part(SFT, given[:1]), part(KTO, given[1:], first_line=1)]
    assert workable(parts, given, ()) == parts


def test_a_dev_fold_to_one_prompt_says_nothing_of_kto_and_much_of_sft() -> None:
    from learners.training.parts import readable

    dev = [replace(answer(number, number % 2 == 0), messages=(Message("user", "q"),)) for number in range(10)]
    found = readable(part(KTO, [], dev), dev)
    assert (found.rows, found.dropped) == ((), {"to one prompt alone: kto needs answers to two": 10})
    assert len(readable(part(SFT, [], dev), dev).rows) == 10


def test_dev_rows_that_would_be_read_alone_do_not_count() -> None:
    from learners.training.parts import readable

    asked = [Message("user", "often" if number < 7 else f"once {number}") for number in range(10)]
    dev = [replace(answer(number, number % 2 == 0), messages=(asked[number],)) for number in range(10)]
    found = readable(part(KTO, [], dev), dev)
    assert [one.line for one in found.rows] == [0, 7, 8, 9]
    assert sum(one.weight for one in found.rows) == pytest.approx(4)


def test_weights_have_mean_1_again_after_rows_that_do_not_fit_were_dropped(tmp_path: Path) -> None:
    from learners.training.parts import read_parts, sifted

    rows = [row(0, weight=0.5), row(1, weight=0.25), row(2, completion="x" * 400, weight=2.25)]
    write_rows(tmp_path / "dev.jsonl", rows)
    job = SimpleNamespace(phases=(SFT,), model=SimpleNamespace(max_context=256), off_policy=None)
    (whole,) = read_parts(tmp_path, cast(TrainJob, job), tokenizer(), rows)
    found = sifted(cast(TrainJob, job), whole, None)
    assert [one.weight for one in found.rows.rows] == pytest.approx([4 / 3, 2 / 3])
    assert [one.weight for one in found.dev.rows] == pytest.approx([4 / 3, 2 / 3])
