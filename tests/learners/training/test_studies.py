"""A study's journal after what may befall a file: it goes on with what can be read, and says what cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="searching needs adaptd[train]")

from learners.job import Knob, StudyPlace
from learners.training.studies import Pairs, Trials, mend

KNOB = Knob(name="learning_rate", low=0.001, high=0.1, log=True, configured=0.01)


def place(folder: Path) -> StudyPlace:
    return StudyPlace(path=str(folder / "erd.journal"), name="sft-1")


def try_out(folder: Path, count: int) -> Trials:
    """That many trials by a worker of their own."""
    trials = Trials(place(folder), (KNOB,), {"learning_rate": 0.01}, seed=1)
    for number in range(count):
        with trials.next() as trial:
            trial.value = 1.0 + number
    return trials


@pytest.mark.parametrize("broken", [b"\0\0\0\0", b"[1, 2]", b'{"no": "entry"}', b"\xff\xfe"])
def test_a_damaged_journal_goes_on_with_what_stands_before_and_is_kept_whole_beside(
    tmp_path: Path, broken: bytes
) -> None:
    try_out(tmp_path, 2)
    journal = tmp_path / "erd.journal"
    good = journal.read_bytes()
    try_out(tmp_path, 1)
    damaged = good + broken + b"\n" + journal.read_bytes()[len(good) :]
    journal.write_bytes(damaged)
    trials = try_out(tmp_path, 1)
    assert trials.finished == 3, "two before the damage, and a new one"
    assert (tmp_path / "erd.journal.broken").read_bytes() == damaged
    line = good.count(b"\n") + 1
    assert trials.damage == f"line {line} of erd.journal could not be read: what came from there on is lost"
    assert try_out(tmp_path, 1).damage == "", "said once"


def test_a_journal_of_nothing_but_rubbish_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "erd.journal").write_bytes(b"rubbish\n" * 3)
    assert try_out(tmp_path, 1).finished == 1
    assert Pairs(place(tmp_path).model_copy(update={"name": "sft-1-comparison"})).found({}, {}) == {}


def test_half_a_line_that_a_kill_left_is_no_damage(tmp_path: Path) -> None:
    try_out(tmp_path, 1)
    journal = tmp_path / "erd.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_co')
    assert mend(journal) == ""
    assert journal.read_bytes() == whole
    assert not (tmp_path / "erd.journal.broken").exists()
