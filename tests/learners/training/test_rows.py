"""Rows as the model sees them: labels of the completion alone, ending in the stop token."""

from __future__ import annotations

import pytest

from tests.learners.training.tiny import make_tokenizer, row

pytestmark = pytest.mark.train


def test_labels_are_the_completion_and_end_in_the_stop_token() -> None:
    from learners.training.rows import IGNORED, as_dataset, encode

    tokenizer = make_tokenizer()
    [one] = list(as_dataset(encode(tokenizer, [row(1)], 256).rows))
    learned = [label for label in one["labels"] if label != IGNORED]
    assert tokenizer.decode(learned) == "answer 1<|end|>"
    assert learned[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(one["input_ids"]) == "<|user|>question 1<|assistant|>answer 1<|end|>"
    assert len(one["labels"]) == len(one["input_ids"])


def test_a_row_that_just_fits_is_kept_and_one_token_more_is_dropped() -> None:
    from learners.training.rows import encode

    tokenizer = make_tokenizer()
    length = encode(tokenizer, [row(0)], 256).rows[0].length
    assert len(encode(tokenizer, [row(0)], length).rows) == 1
    assert encode(tokenizer, [row(0)], length - 1).dropped == {f"longer than {length - 1} tokens": 1}
