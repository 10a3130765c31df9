"""What hooks may ask of the model, and that it leaves no trace."""

from pathlib import Path
from typing import Any

import pytest

from tests.learners.training.tiny import make_job, row

pytestmark = pytest.mark.train

ROWS = [row(at) for at in range(9)]


@pytest.fixture(scope="module")
def tools(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    pytest.importorskip("trl")
    from learners.methods.sft import SftSettings
    from learners.training.adapters import load_model, load_tokenizer
    from learners.training.tools import ModelTools

    job = make_job(tmp_path_factory.mktemp("tools") / "job", tiny_base, ROWS)
    settings = SftSettings(learning_rate=0.02, batch_size=4)
    return ModelTools(load_model(job), load_tokenizer(job.base.path), job, settings)


def test_the_loss_is_in_nats_a_token_and_near_that_of_guessing_for_a_random_model(tools: Any) -> None:
    from math import log

    losses = tools.loss(ROWS)
    assert all(abs(each - log(262)) < 1 for each in losses)


def test_a_row_has_the_same_loss_alone_as_among_others(tools: Any) -> None:
    rows = [row(1), row(2, completion="a much longer answer than the other one")]
    together = tools.loss(rows)
    assert [tools.loss([one])[0] for one in rows] == pytest.approx(together, abs=1e-4)


def test_a_row_that_does_not_fit_counts_as_infinitely_hard(tools: Any) -> None:
    losses = tools.loss([row(1), row(2, completion="x" * 400)])
    assert losses[1] == float("inf")
    assert tools.probe_loss([row(2, completion="x" * 400)], 2) == [float("inf")]


def test_a_probe_makes_rows_likelier_and_is_undone(tools: Any) -> None:
    import torch

    before, state = tools.loss(ROWS), torch.random.get_rng_state()
    probed = tools.probe_loss(ROWS, 10)
    assert sum(probed) < sum(before) - 1
    assert tools.loss(ROWS) == before
    assert torch.equal(torch.random.get_rng_state(), state)
    assert tools.probe_loss(ROWS, 10) == probed
