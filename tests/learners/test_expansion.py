"""A made row is kept only where it is right, new, its parent's, and unknown to whoever judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from consumers.cleaning import prompt_key
from learners.expansion import MOST_SHARE, Guard, Kept, keep
from learners.hooks.contract import Expanded, Made
from learners.router import answer_key
from learners.validators import Validated
from storage.records import Message, Origin, Row
from tests.storage.makers import NOW, later


def row(prompt: str = "draw the shop", completion: str = "shop and cart", **changes: Any) -> Row:
    asked = (Message("user", prompt),)
    return replace(Row(asked, completion, "target", 1.0, 1.0, 1.0, Origin("i1", 2), "u1", NOW), **changes)


def validate(messages: Sequence[Message], answer: str) -> Validated | None:
    good = "wrong" not in answer
    return Validated(float(good), good, {}, {})


def guard(**changes: Any) -> Guard:
    nothing: frozenset[str] = frozenset()
    return replace(Guard(validate, lambda _: True, nothing, nothing, nothing), **changes)


def kept(*rows: Row, most: int = 9, parent: Row | None = None, **changes: Any) -> Kept:
    made = Expanded(tuple(Made(0, "renaming", one) for one in rows), most, ("why",))
    return keep(made, [parent or row()], guard(**changes))


OTHER = row("draw the zoo", "zoo and cage", weight=0.5)


def test_a_made_row_is_its_parents_whatever_it_says() -> None:
    odd = replace(OTHER, origin=Origin("other", 9), user_id="u2", replay=True, effective_at=later(1e6), weight=7.0)
    ((place, made),) = kept(odd).rows
    assert place == 0
    assert (made.origin, made.user_id, made.replay, made.effective_at) == (Origin("i1", 2), None, False, NOW)
    assert (made.weight, made.made) == (MOST_SHARE, "renaming")


def test_what_does_not_pass_the_validator_is_not_kept_and_counted() -> None:
    found = kept(OTHER, replace(OTHER, completion="zoo and wrong"))
    assert len(found.rows) == 1
    assert found.words() == "2 made, 1 kept; not: 1 did not pass the validator"


def test_no_made_row_asks_what_the_gate_or_dev_asks() -> None:
    assert kept(OTHER, gate={prompt_key(OTHER.messages)}).why_not == {"known to the gate": 1}
    assert kept(OTHER, dev={prompt_key(OTHER.messages)}).why_not == {"in the dev fold": 1}


def test_where_folds_go_by_user_a_prompt_may_stay_but_not_with_the_gates_answer() -> None:
    again = row(completion="shop and till")
    gate = {prompt_key(again.messages)}
    assert len(kept(again, gate=gate).rows) == 1
    gate.add(answer_key(again.messages, again.completion))
    assert kept(again, gate=gate).why_not == {"known to the gate": 1}


def test_a_made_pair_may_not_have_the_gates_answer_either() -> None:
    again = row(completion="shop and till")
    pair = replace(again, role="pair", rejected="9")
    gate = {answer_key(again.messages, again.completion)}
    assert kept(pair, parent=replace(row(), role="pair", rejected="8"), gate=gate).why_not == {"known to the gate": 1}


def test_copies_and_strangers_are_not_kept() -> None:
    assert kept(OTHER, OTHER).why_not == {"a copy": 1}
    assert kept(OTHER, present={answer_key(OTHER.messages, OTHER.completion)}).why_not == {"a copy": 1}
    assert kept(row("draw the shop", "9 8 7 6 5 4 3 2 1 0")).why_not == {"something else": 1}
    long = "a long text of many words " * 20
    assert kept(row(completion=long + "!"), parent=row(completion=long)).why_not == {"a copy": 1}


def test_what_replaces_a_bad_answer_need_not_be_like_it() -> None:
    bad = row(completion="9 8 7 6 5 4 3 2 1 0", role="response", reward=-1.0)
    made = Expanded((Made(0, "sample", row(), instead=True),), 1, ("why",))
    found = keep(made, [bad], guard())
    assert len(found.rows) == 1
    assert found.gave_way == (0,)


def test_what_no_phase_learns_from_is_not_kept() -> None:
    assert kept(OTHER, taken=lambda one: one.role == "pair").why_not == {"no phase learns from it": 1}


def test_no_parent_has_more_than_were_wanted() -> None:
    rows = [row(f"draw the zoo{n}", f"zoo{n} and cage") for n in range(5)]
    found = kept(*rows, most=2)
    assert (len(found.rows), found.looked_at) == (2, 2)
