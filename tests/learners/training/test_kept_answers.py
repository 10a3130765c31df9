"""Kept answers: found again by adapter, prompt and sampling, bounded, and safe to lose."""

import os
from pathlib import Path

from learners.engines.client import Answer, Scored
from learners.engines.wire import Sampling
from learners.training.kept_answers import MOST_ENTRIES, MOST_FILES, KeptAnswers
from storage.records import Message

GREEDY = Sampling(max_tokens=9)


def asked(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


def keep(folder: Path, identity: str = "a" * 64, count: int = 1) -> None:
    kept = KeptAnswers(str(folder), identity)
    for at in range(count):
        kept.keep_answer(asked(f"secret {at}"), GREEDY, Answer(f"said {at}", "stop", 2))
    kept.keep_scored(asked("secret 0"), "text", Scored(1.5, 3, None))
    kept.save()


def test_what_was_said_is_found_again(tmp_path: Path) -> None:
    keep(tmp_path)
    again = KeptAnswers(str(tmp_path), "a" * 64)
    assert again.answer(asked("secret 0"), GREEDY) == Answer("said 0", "stop", 2)
    assert again.scored(asked("secret 0"), "text") == Scored(1.5, 3, None)
    assert again.found == 2


def test_another_adapter_prompt_text_or_sampling_is_another_question(tmp_path: Path) -> None:
    keep(tmp_path)
    again = KeptAnswers(str(tmp_path), "a" * 64)
    assert again.answer(asked("secret 1"), GREEDY) is None
    assert again.answer(asked("secret 0"), Sampling(max_tokens=8)) is None
    assert again.scored(asked("secret 0"), "other") is None
    assert KeptAnswers(str(tmp_path), "b" * 64).answer(asked("secret 0"), GREEDY) is None


def test_answers_that_were_drawn_are_not_kept(tmp_path: Path) -> None:
    kept = KeptAnswers(str(tmp_path), "a")
    kept.keep_answer(asked("x"), Sampling(temperature=0.7), Answer("y", "stop", 1))
    assert kept.answer(asked("x"), Sampling(temperature=0.7)) is None


def test_no_prompt_is_in_the_file(tmp_path: Path) -> None:
    keep(tmp_path)
    assert "secret" not in "".join(file.read_text() for file in tmp_path.iterdir())


def test_a_broken_line_or_a_folder_that_is_gone_costs_nothing_else(tmp_path: Path) -> None:
    keep(tmp_path, count=2)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b'{"key": 1}\nnot json\n[]\n7\n"text"\n\xff\n' + file.read_bytes()[:-20])
    assert KeptAnswers(str(tmp_path), "a" * 64).answer(asked("secret 0"), GREEDY) is not None
    file.unlink()
    assert KeptAnswers(str(tmp_path / "gone"), "a" * 64).answer(asked("secret 0"), GREEDY) is None


def test_the_entries_used_last_and_the_newest_files_stay(tmp_path: Path) -> None:
    keep(tmp_path, count=MOST_ENTRIES)
    again = KeptAnswers(str(tmp_path), "a" * 64)
    assert again.answer(asked("secret 0"), GREEDY) is None  # the score took its place
    assert again.answer(asked("secret 1"), GREEDY) is not None
    again.keep_answer(asked("new"), GREEDY, Answer("n", "stop", 1))
    again.save()
    assert KeptAnswers(str(tmp_path), "a" * 64).answer(asked("secret 1"), GREEDY) is not None
    assert KeptAnswers(str(tmp_path), "a" * 64).answer(asked("secret 2"), GREEDY) is None
    for number in range(MOST_FILES):
        keep(tmp_path, identity=f"file{number}")
        os.utime(tmp_path / f"file{number}.jsonl", (2e9 + number, 2e9 + number))
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"file{n}.jsonl" for n in range(MOST_FILES)]


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    for folder, identity in ((None, "a"), (str(tmp_path), None)):
        kept = KeptAnswers(folder, identity)
        kept.keep_answer(asked("x"), GREEDY, Answer("y", "stop", 1))
        kept.save()
        assert kept.answer(asked("x"), GREEDY) is not None
    assert list(tmp_path.iterdir()) == []
