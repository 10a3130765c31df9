"""Two or three rows for one: other names, other frames, other answers; each made in the way that is on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from examples.erd.world import Pool, entities_of, entity_lists, good_answer, prompt_of
from learners.expansion import Guard, keep
from learners.hooks.augmentation import AugmentationSettings, expand
from learners.hooks.contract import Context, Expanded, Made, Sample
from learners.validators import Validated, open_validator
from storage.records import Message, Origin, Row
from tests.learners.hooks.test_contract import NOW, Lengths

DIAGRAMS = open_validator("mermaid_erd")


class Champion(Lengths):
    """Answers by rote, and judges diagrams."""

    def __init__(self, *said: str, judges: bool = True) -> None:
        self._said, self._judges = said, judges
        self.asked: list[str] = []

    def answers(self, prompts: Sequence[Sequence[Message]], n: int, temperature: float) -> Sequence[Sequence[Sample]]:
        self.asked += [messages[-1].content for messages in prompts]
        return [[Sample(text, True) for text in self._said[:n]] for _ in prompts]

    def validate(self, messages: Sequence[Message], answer: str) -> Validated | None:
        return DIAGRAMS.validate(messages[-1].content, answer) if self._judges else None


class Lenient(Champion):
    """Looks at the keys alone."""

    def validate(self, messages: Sequence[Message], answer: str) -> Validated | None:
        return Validated(float("PK" in answer), "PK" in answer, {}, {})


def diagrams(count: int) -> list[Row]:
    lists = entity_lists(Pool.EVENTS, 3)
    return [asked(prompt_of(names), good_answer(names), at) for at, names in zip(range(count), lists, strict=False)]


def asked(prompt: str, answer: str, at: int = 0) -> Row:
    return Row((Message("user", prompt),), answer, "target", 1.0, 1.0, 1.0, Origin(str(at), 1), None, NOW)


def made(rows: Sequence[Row], tools: Champion | None = None, **settings: Any) -> dict[str, list[Made]]:
    context = Context(AugmentationSettings(**settings), batch_size=4, seed=1, tools=tools or Champion())
    found: dict[str, list[Made]] = {}
    for one in expand(rows, context).rows:
        found.setdefault(one.how, []).append(one)
    return found


def test_renaming_gives_right_diagrams_of_other_entities_three_rows_for_one() -> None:
    rows = diagrams(12)
    context = Context(AugmentationSettings(), batch_size=4, seed=1, tools=Champion())
    guard = Guard(Champion().validate, lambda _: True, frozenset(), frozenset(), frozenset())
    kept = keep(expand(rows, context), rows, guard).rows
    assert Counter(parent for parent, _ in kept) == dict.fromkeys(range(12), 2)
    for parent, row in kept:
        names = set(entities_of(row.messages[-1].content))
        assert len(names) == len(entities_of(rows[parent].messages[-1].content))
        assert not names & set(entities_of(rows[parent].messages[-1].content))
        assert row.weight == 0.5
        assert row.made == "renaming"


def test_of_a_correction_what_was_rejected_is_not_carried_along() -> None:
    (first, *_) = made([asked("Entity: Shop.", "Shop {}"), asked("Entity: Zoo.", "Zoo {}", 1)])["renaming"]
    assert first.row.completion == "Zoo {}"
    assert first.row.rejected is None


def test_a_prompt_is_put_into_the_frame_of_another_that_asks_alike() -> None:
    names = (("Order", "Product"), ("Category", "Brand"))
    mine = asked(prompt_of(names[0]), good_answer(names[0]))
    other = asked("Please sketch {}, as ever.".format(", ".join(names[1])), good_answer(names[1]), 1)
    (one, two) = made([mine, other], renaming=False)["context"]
    assert one.row.messages[-1].content == "Please sketch Order, Product, as ever."
    assert two.row.messages[-1].content == prompt_of(names[1])
    assert one.row.completion == mine.completion


def test_without_a_validator_only_names_are_replaced() -> None:
    settings: dict[str, Any] = {"best_of_n": 4, "paraphrase": True, "back_translation": "French"}
    champion = Champion("said", judges=False)
    assert made(diagrams(4), champion, **settings).keys() == {"renaming"}
    assert champion.asked == []


def test_the_best_passing_answer_is_a_target_and_best_and_worst_a_pair() -> None:
    (row,) = diagrams(1)
    good = row.completion.replace("int id PK", "string id PK")
    target, pair = made([row], Champion("nonsense", good, "erDiagram"), best_of_n=3, renaming=False)["best_of_n"]
    assert (target.row.role, target.row.completion) == ("target", good)
    assert (pair.row.role, pair.row.completion, pair.row.rejected) == ("pair", good, "nonsense")


def test_an_answer_that_runs_on_is_no_target_and_not_what_is_chosen_however_well_it_scores() -> None:
    (row,) = diagrams(1)
    runs_on = f"{row.completion}\n\nUser: and another?"
    good = row.completion.replace("int id PK", "string id PK")
    champion = Lenient(runs_on, good, "erDiagram")
    found = made([row], champion, best_of_n=3, renaming=False)["best_of_n"]
    assert [one.row.completion for one in found] == [good, good]


def test_where_no_answer_passes_there_is_no_pair_and_the_target_is_not_kept() -> None:
    rows, champion = diagrams(2), Champion("nonsense", "erDiagram")
    found = made(rows, champion, best_of_n=2, renaming=False)["best_of_n"]
    assert [one.row.role for one in found] == ["target", "target"]
    guard = Guard(champion.validate, lambda _: True, frozenset(), frozenset(), frozenset())
    kept = keep(Expanded(tuple(found), 2, ("why",)), rows, guard)
    assert kept.rows == ()
    assert sum(kept.why_not.values()) == 2


def test_the_champion_rewords_a_prompt_and_translates_it_there_and_back() -> None:
    champion = Champion("Other words")
    found = made(diagrams(1), champion, paraphrase=True, back_translation="French", renaming=False)
    assert found["paraphrase"][0].row.messages == (Message("user", "Other words"),)
    assert found["back_translation"][0].row.messages == (Message("user", "Other words"),)
    reworded, there, back = champion.asked
    assert reworded.startswith("Say this in other words.")
    assert there.startswith("Translate this into French.")
    assert (
        back
        == "Translate this into English. Keep every name as it is. Answer with the translation alone.\n\nOther words"
    )


def test_a_pair_is_renamed_on_both_sides() -> None:
    rows = [
        Row((Message("user", f"Entity: {n}."),), f"{n} {{}}", "pair", 1.0, 1.0, 1.0, Origin(n, 1), None, NOW, f"{n} ?")
        for n in ("Shop", "Zoo")
    ]
    first = made(rows)["renaming"][0].row
    assert (first.completion, first.rejected) == ("Zoo {}", "Zoo ?")
