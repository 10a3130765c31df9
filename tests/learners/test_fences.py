from __future__ import annotations

import pytest

from learners.fences import unfenced


@pytest.mark.parametrize(
    "fenced", ["```\na\nb\n```", "```mermaid\na\nb\n```", "  ```json\na\nb\n  ```  \n", "a\nb", " a\nb\n"]
)
def test_one_fence_around_everything_is_taken_off(fenced: str) -> None:
    assert unfenced(fenced) == "a\nb"


@pytest.mark.parametrize("text", ["Here:\n```\na\n```", "```\na\n```\nDone.", "```a```", "```\na", "a\n```"])
def test_a_fence_that_is_not_around_everything_stays(text: str) -> None:
    assert unfenced(text) == text


def test_only_the_outer_of_two_fences_is_taken_off() -> None:
    assert unfenced("```\n```\na\n```\n```") == "```\na\n```"
