"""Vectors are made once, are bounded, and are safe to lose."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from learners.embeddings import cache
from learners.embeddings.cache import FILE, Cached, VectorCache
from learners.ngrams import Vectors, ngram_vectors


class Counting:
    """Counts what it was asked for."""

    name, identity = "counting", "counting-1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return ngram_vectors(texts)


def cached(folder: Path, most: int = 100) -> tuple[Cached, Counting]:
    counting = Counting()
    return Cached(counting, VectorCache(folder, most)), counting


def test_a_text_is_encoded_once_and_known_to_the_next_process(tmp_path: Path) -> None:
    first, counting = cached(tmp_path / "made")
    fresh = first.encode(["a b", "c d", "a b"])
    assert counting.asked == ["a b", "c d"]
    second, idle = cached(tmp_path / "made")
    assert np.array_equal(second.encode(["a b", "c d", "a b"]), fresh)
    assert idle.asked == []


def test_a_vector_is_the_same_to_the_bit_whether_it_was_made_or_found(tmp_path: Path) -> None:
    texts = [f"what the {number}th of them says" for number in range(20)]
    made, found = (cached(tmp_path)[0].encode(texts) for _ in range(2))
    assert np.array_equal(made, found)
    assert not np.array_equal(made, ngram_vectors(texts)), "half precision holds less"


def test_another_encoder_does_not_find_its_vectors(tmp_path: Path) -> None:
    cached(tmp_path)[0].encode(["a b"])
    other, counting = cached(tmp_path)
    other.identity = "counting-2"
    other.encode(["a b"])
    assert counting.asked == ["a b"]


def test_the_file_holds_no_text(tmp_path: Path) -> None:
    cached(tmp_path)[0].encode(["my secret wish"])
    assert b"secret" not in (tmp_path / FILE).read_bytes()


def test_it_is_bounded_and_the_longest_unused_go_first(tmp_path: Path) -> None:
    encoder, counting = cached(tmp_path, most=3)
    encoder.encode(["one"])
    encoder.encode(["two", "three"])
    encoder.encode(["one"])
    encoder.encode(["four"])
    with sqlite3.connect(tmp_path / FILE) as file:
        assert file.execute("SELECT count(*) FROM vector").fetchone() == (3,)
    file.close()
    counting.asked.clear()
    encoder.encode(["one", "four"])
    assert counting.asked == []


def test_a_broken_file_is_done_without_and_made_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database, " * 100)
    encoder, counting = cached(tmp_path)
    assert len(encoder.encode(["a b"])) == 1
    encoder.encode(["a b"])
    encoder.encode(["a b"])
    assert len(counting.asked) <= 2


def test_a_locked_file_costs_time_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "WAIT_S", 0.0)
    cached(tmp_path)[0].encode(["a b"])
    holder = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        encoder, counting = cached(tmp_path)
        assert len(encoder.encode(["a b"])) == 1
        assert counting.asked == ["a b"]
    finally:
        holder.close()
