"""Pairs and corrections of one store become the phases of one update: what counts, what trains, and what is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from daemon.batches import Batches
from daemon.config import Config, TaskConfig
from daemon.evidence import gate_prompts, prompts_of
from daemon.leaks import gate_keys
from daemon.material import Material, gather, phases_of, routing
from learners.batching import BatchDecision
from storage import buffer, registry, updates
from storage.records import Example, Message, Pair, Scalar, Target, Update
from storage.store import Store
from tests.storage.makers import NOW, example, keep, later


def config(**learners: Any) -> TaskConfig:
    whole = Config.model_validate(
        {
            "rewards": {"settle": "0s"},
            "batching": {"min": 10, "max": 40, "max_wait": "1s", "max_share_per_user": 1, "min_users": 1},
            "holdout": {"by": "user"},
            "learners": learners,
            "tasks": {"erd": {}},
        }
    )
    task = whole.task("erd")
    assert task is not None
    return task


def compared(count: int, name: str = "p", *, tie: bool = False) -> list[Example]:
    """Each by a user of its own."""
    found = []
    for number in range(count):
        user = f"user of {name}{number}"
        pair = Pair(f"better {name}{number}", "worse", tie, NOW, user)
        found.append(by(user, example(f"{name}{number}", pairs=(pair,), scalar=None, response=None)))
    return found


def corrected(count: int) -> list[Example]:
    targets = [Target(f"by hand {number}", 0.2, NOW, "u1") for number in range(count)]
    return [by(f"user {i}", example(f"c{i}", correction=one, scalar=None)) for i, one in enumerate(targets)]


def by(user: str, one: Example) -> Example:
    return replace(one, user_id=user, users=(user,))


def known_to_the_gate(text: str) -> Example:
    return replace(compared(1, "g")[0], pairs=(Pair(text, "x", False, NOW, "u9"),))


def look(store: Store, task: TaskConfig) -> BatchDecision:
    batches = Batches(store, lambda: later(10))  # beyond max_wait, so that min is enough
    batches.consider(task, ["erd"], "erd@v0", None)
    decision = batches.last("erd")
    assert decision is not None
    return decision


def begun(store: Store) -> Update:
    return store.read(lambda tx: updates.list_updates(tx, "erd"))[0]


def material(store: Store, task: TaskConfig) -> Material:
    store.write(lambda tx: registry.ensure_line(tx, "erd", "base", NOW))
    return store.read(lambda tx: gather(tx, begun(store), task, NOW))


@pytest.mark.parametrize(
    ("preference", "pairs", "have", "said"),
    [
        ("auto", 15, 0, "15 pair (no method: 15 of 16 pairs, 0 of 8 liked and 0 of 8 disliked answers; learners.pref"),
        ("auto", 16, 16, None),
        ("dpo", 12, 12, None),
        ("off", 16, 0, "16 pair (no method: learners.preference is off)"),
    ],
)
def test_pairs_count_towards_a_batch_only_where_it_would_train_on_them(
    store: Store, preference: str, pairs: int, have: int, said: str | None
) -> None:
    store.write(lambda tx: keep(tx, *compared(pairs)))
    decision = look(store, config(preference=preference))
    assert decision.have == have
    assert (said in decision.reason) if said else ("not counted" not in decision.reason)


def test_ties_are_no_rows_and_do_not_help_the_pairs_over_the_line(store: Store) -> None:
    store.write(lambda tx: keep(tx, *compared(15), *compared(20, "t", tie=True)))
    decision = look(store, config())
    assert decision.have == 0
    assert "20 no row" in decision.reason
    assert "15 of 16 pairs" in decision.reason


def test_contrary_pairs_do_not_help_over_the_line_and_liked_answers_that_were_compared_train_once(store: Store) -> None:
    """15 pairs and one even split; a sixteenth pair makes a phase, which has the answers that were liked as well."""
    split = compared(1, "s")[0]
    contrary = replace(split.pairs[0], chosen="worse", rejected="better s0", user_id="another")
    store.write(lambda tx: keep(tx, *compared(15), replace(split, pairs=(*split.pairs, contrary))))
    assert "15 of 16 pairs" in look(store, config()).reason
    liked = example("liked", response="worse", scalar=Scalar(1.0, 1, NOW), pairs=compared(1, "l")[0].pairs)
    store.write(lambda tx: keep(tx, by("u", liked)))
    decision = look(store, config())
    assert (decision.have, decision.ripe) == (16, True)
    assert "not counted: 1 even split" in decision.reason
    found = material(store, config())
    assert [row.role for row in found.batch] == ["pair"] * 16
    assert found.sorted.preference.reason == "dpo on 16 pairs (learners.preference: auto)"
    assert found.sorted.gave_way == {"response": 1}


def test_a_batch_whose_cap_leaves_too_few_pairs_is_counted_without_them(store: Store) -> None:
    """A user may give 3 of 10: all corrections are of one and all pairs of another."""
    theirs = [by("u1", one) for one in corrected(12)] + [by("u2", one) for one in compared(30)]
    store.write(lambda tx: keep(tx, *theirs))
    task = config()
    capped = task.model_copy(update={"batching": task.batching.model_copy(update={"max_share_per_user": 0.3})})
    decision = look(store, capped)
    assert (decision.have, decision.need) == (3, 10)
    assert "30 pair (no method: 3 of 16 pairs" in decision.reason


def test_corrections_train_by_sft_then_pairs_by_dpo_and_the_report_says_how_many(store: Store) -> None:
    store.write(lambda tx: keep(tx, *corrected(6), *compared(20), *compared(3, "t", tie=True)))
    task = config()
    assert look(store, task).ripe
    found = material(store, task)
    phases = phases_of(found, task, 0, seed=1)
    assert [phase.method for phase in phases] == ["sft", "dpo"]
    report = routing(found, phases)
    assert report["rows"] == {
        "sft": {"new": 6, "replayed": 0, "dev": 0},
        "dpo": {"new": 20, "replayed": 0, "dev": 0},
    }
    assert report["gave_way"] == {"response": 6}
    assert report["preference"] == "dpo on 20 pairs (learners.preference: auto)"


def test_pairs_of_a_batch_go_back_when_preference_is_turned_off_before_it_trains(store: Store) -> None:
    store.write(lambda tx: keep(tx, *corrected(6), *compared(20)))
    assert look(store, config()).ripe
    found = material(store, config(preference="off"))
    assert [row.role for row in found.batch] == ["target"] * 6
    assert found.sorted.no_method == {"pair": 20}


def test_split_by_user_a_pair_whose_chosen_text_the_gate_holds_is_not_trained_on(store: Store) -> None:
    theirs = known_to_the_gate("better p3")
    store.write(lambda tx: keep(tx, *compared(20)))
    store.write(lambda tx: keep(tx, theirs, fold="gate"))
    task = config()
    assert len(store.read(lambda tx: gate_keys(tx, task))) == 1
    assert look(store, task).have == 19


def test_a_text_behind_one_users_flood_in_the_gate_is_known_to_it_too(store: Store) -> None:
    """A judgement reads past the newest, so that nobody floods it; what it reads there is not trained on either."""
    flood = [by("loud", replace(one, effective_at=later(number))) for number, one in enumerate(compared(250, "f"))]
    store.write(lambda tx: keep(tx, *compared(20)))
    store.write(lambda tx: keep(tx, known_to_the_gate("better p3"), *flood, fold="gate"))
    task = config()
    fair = task.model_copy(update={"batching": task.batching.model_copy(update={"max_share_per_user": 0.5})})
    assert look(store, fair).have == 19


def test_what_the_gate_learned_of_since_is_left_out_of_training_and_counted(store: Store) -> None:
    store.write(lambda tx: keep(tx, *compared(20)))
    task = config()
    assert look(store, task).ripe
    theirs = known_to_the_gate("better p3")
    store.write(lambda tx: keep(tx, theirs, fold="gate"))
    found = material(store, task)
    assert (len(found.batch), found.leaks) == (19, 1)


def test_a_tie_is_not_asked_by_a_gate_that_reads_human_texts(store: Store) -> None:
    store.write(lambda tx: keep(tx, *compared(2), *compared(3, "t", tie=True), fold="gate"))
    prompts = prompts_of(store.read(lambda tx: buffer.gate_examples(tx, "erd")), config(), NOW)
    assert sorted(prompt.id for prompt in prompts) == ["p0", "p1"]
    assert all(prompt.pair is not None and prompt.target is None for prompt in prompts)


def test_the_gate_reads_of_two_texts_what_most_prefer_and_nothing_of_an_even_split(store: Store) -> None:
    first = compared(3)
    against = [replace(one.pairs[0], chosen="worse", rejected=one.pairs[0].chosen) for one in first]
    said = [
        (
            replace(first[0].pairs[0], user_id="ann"),
            replace(first[0].pairs[0], user_id="ben"),
            replace(against[0], user_id="eve"),
        ),
        (replace(first[1].pairs[0], user_id="ann"), replace(against[1], user_id="eve")),
        first[2].pairs,
    ]
    found = [
        replace(one, pairs=tuple(replace(pair, effective_at=later(at)) for at, pair in enumerate(pairs)))
        for one, pairs in zip(first, said, strict=True)
    ]
    asked = [replace(one, messages=(Message("user", f"Draw {at}"),)) for at, one in enumerate(found)]
    store.write(lambda tx: keep(tx, *asked, fold="gate"))
    prompts, _ = store.read(lambda tx: gate_prompts(tx, config(), later(10)))
    read = {prompt.messages[0].content: prompt.pair and prompt.pair.chosen for prompt in prompts}
    assert read == {"Draw 0": "better p0", "Draw 2": "better p2"}
