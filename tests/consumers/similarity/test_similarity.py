import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from consumers.similarity import Similarity, SimilaritySettings, pieces, similarity, words

DEFAULT = SimilaritySettings()
texts = st.text(alphabet="ab c.日本\n", max_size=40)


@given(st.text(max_size=60))
def test_equal_texts_are_1(text: str) -> None:
    assert similarity(text, text, DEFAULT) == Similarity(1.0, 1.0, 1.0, False)


@given(texts, texts)
def test_it_is_the_weighted_mean_of_its_parts(said: str, wanted: str) -> None:
    found = similarity(said, wanted, SimilaritySettings(edit=0.6, bleu=0.2))
    assert found.edit is not None
    assert found.bleu is not None
    assert found.value == pytest.approx((3 * found.edit + found.bleu) / 4, abs=1e-12)
    assert 0 <= min(found.value, found.edit, found.bleu) <= max(found.value, found.edit, found.bleu) <= 1


@given(texts, texts)
def test_a_part_of_weight_0_leaves_the_other_alone(said: str, wanted: str) -> None:
    both = similarity(said, wanted, DEFAULT)
    edit = similarity(said, wanted, SimilaritySettings(edit=0.3, bleu=0))
    bleu = similarity(said, wanted, SimilaritySettings(edit=0, bleu=0.3))
    assert (edit.bleu, edit.edit, bleu.edit, bleu.bleu) == (None, both.edit, None, both.bleu)
    assert edit.value == pytest.approx(both.edit)
    assert bleu.value == pytest.approx(both.bleu)


def test_nothing_in_common_is_0_and_empty_against_something_too() -> None:
    assert similarity("abc", "xyz", DEFAULT).value == 0
    assert similarity("", "xyz", DEFAULT).value == 0
    assert similarity("xyz", "", DEFAULT).value == 0


def test_more_of_the_text_kept_is_more_alike() -> None:
    wanted = "the cat sat on the mat and looked at the moon"
    drafts = ["the dog ran", "the cat ran on the grass", "the cat sat on the mat and slept", wanted]
    values = [similarity(draft, wanted, DEFAULT).value for draft in drafts]
    assert values == sorted(values)
    assert len(set(values)) == len(values)


def test_both_weights_0_are_refused() -> None:
    with pytest.raises(ValidationError, match="give at least one of them a weight"):
        SimilaritySettings(edit=0, bleu=0)


def test_beyond_a_length_the_edit_ratio_goes_by_words() -> None:
    settings = SimilaritySettings(max_chars=10, bleu=0)
    found = similarity("hello big world", "hello bag world", settings)
    assert found.edit == pytest.approx(0.8)  # 4 of 5 pieces stay: hello, space, _, space, world
    assert not found.truncated
    assert similarity("hello big world", "hello bag world", SimilaritySettings(bleu=0)).edit == pytest.approx(14 / 15)


def test_beyond_more_heads_and_tails_are_compared_and_it_says_so() -> None:
    settings = SimilaritySettings(max_chars=10, max_words=4)
    one, other = "a b" + " x" * 50 + " y z", "a b" + " q" * 50 + " y z"
    found = similarity(one, other, settings)
    assert found.truncated
    assert found.bleu == 1.0
    assert found.edit == 1.0
    assert not similarity("a b c d", "a b c e", settings).truncated


def test_long_texts_stay_affordable() -> None:
    one, other = "word " * 39_000, "{" * 195_000
    assert similarity(one, other, DEFAULT).truncated


@given(st.text())
def test_pieces_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@given(st.text(alphabet=st.characters(max_codepoint=0x250)))
def test_words_are_split_at_white_space(text: str) -> None:
    assert words(text) == text.split()


def test_scripts_without_spaces_are_taken_apart() -> None:
    assert words("私は go 日本へ。ok") == ["私", "は", "go", "日", "本", "へ", "。ok"]
    assert pieces("日本 is") == ["日", "本", " ", "is"]
