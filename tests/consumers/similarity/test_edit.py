import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.similarity import edit_ratio

texts = st.text(alphabet="abc", max_size=12)


def longest_common_subsequence(one: str, other: str) -> int:
    row = [0] * (len(other) + 1)
    for char in one:
        before = 0
        for at, wanted in enumerate(other, start=1):
            before, row[at] = row[at], before + 1 if char == wanted else max(row[at], row[at - 1])
    return row[-1]


@given(texts, texts)
def test_it_is_the_share_of_characters_that_stay(one: str, other: str) -> None:
    whole = len(one) + len(other)
    expected = 2 * longest_common_subsequence(one, other) / whole if whole else 1.0
    assert edit_ratio(one, other) == pytest.approx(expected, abs=1e-12)


@given(texts, texts)
def test_it_is_symmetric_and_the_same_over_characters_as_words(one: str, other: str) -> None:
    assert edit_ratio(one, other) == edit_ratio(other, one) == edit_ratio(list(one), list(other))
