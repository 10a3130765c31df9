"""Which answers are never imitated for how they ended, and which only look alike."""

from __future__ import annotations

import pytest

from consumers.endings import ending_of, repeats
from examples.erd.world import good_answer
from storage.records import Message

ASKED = (Message("user", "Tell me about diagrams."),)
TALK = (Message("user", "Go on with this dialogue.\nUser: Hi\nAssistant: Hello"),)
LINES = "\n".join(f"  Order{number} ||--o{{ Item{number} : holds" for number in range(30))
TABLE = "| a | b |\n| --- | --- |\n" + "\n".join(f"| {n} | {n * n} |" for n in range(20))


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_an_answer_that_was_cut_off_says_so_itself(reason: str) -> None:
    assert ending_of(ASKED, "A diagram is", reason) == "cut"


@pytest.mark.parametrize(
    "text",
    [
        "A diagram" + " is a diagram" * 12,
        "Sure.\n" + "  string name\n" * 8,
        "It shows things. " + "And so on, as we said before. " * 6 + "And so on, as",
        "ha" * 40,
        "a" * 70,
        "A diagram shows.<|im_end|>\n<|im_start|>user\nThanks",
        "A diagram shows.\nUser: And then?\nAssistant: It shows more.",
        "A diagram shows.\n### Instruction:\nAnother",
        "A diagram shows. [INST] More [/INST]",
    ],
)
def test_an_answer_that_runs_on_is_known_by_its_text(text: str) -> None:
    assert ending_of(ASKED, text, None) == ending_of(ASKED, text, "stop") == "run-on"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A diagram shows entities.",
        LINES,
        TABLE,
        good_answer(("Order", "Customer", "Payment", "Refund")),
        "He said: no, no, no, no, no!",
        "=" * 80,
        "User: Hi\nAssistant: Hello\nUser: Bye",
        "The user: a person. " * 3,
    ],
)
def test_an_answer_that_ended_where_it_should_passes(text: str) -> None:
    assert ending_of(ASKED, text, "stop") is None


def test_turns_that_the_prompt_shows_are_no_running_on() -> None:
    assert ending_of(TALK, "Hello again.\nUser: Bye", None) is None
    assert ending_of(ASKED, "Hello again.\nUser: Bye", None) == "run-on"


@pytest.mark.parametrize("length", [2, 7, 12, 13, 60, 200])
def test_a_piece_of_any_length_is_found_when_it_comes_five_times_and_not_when_it_comes_three(length: int) -> None:
    piece = "".join(chr(97 + (number * number + length) % 26) for number in range(length - 1)) + " "
    assert repeats("Begin. " + piece * max(5, 60 // length + 2))
    assert not repeats("Begin. " + (piece * 3)[: max(3 * length, 8)] + "End of it.")
