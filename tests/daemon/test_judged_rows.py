"""Single judgements of one store become KTO's rows, with what they count by; and what is left out is told by why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from consumers.joins import JoinSettings, join
from consumers.similarity import SimilaritySettings
from daemon.cli.one_update import lines_of
from daemon.config import ValidatorChoice
from daemon.material import phases_of, routing
from daemon.standing import floor_of, standing_of
from learners.off_policy import SOLVED
from learners.preference import rows_to_train
from learners.router import rows_of
from storage import buffer, registry
from storage.records import Adapter, Example, Preference, Scalar, Signal
from storage.store import Store
from tests.daemon.test_choosing import Learning
from tests.daemon.test_preference import by, compared, config, corrected, look, material
from tests.storage.makers import NOW, event, example, insert, keep, later, rating


def judged(count: int, signal: float, name: str, **changes: object) -> list[Example]:
    """Each by a user of its own."""
    whole = {"scalar": Scalar(signal, 1, NOW), "adapter": "erd@v2", **changes}
    found = [example(f"{name}{number}", **whole) for number in range(count)]
    return [
        by(f"user of {name}{i}", replace(one, response=one.response or f"{name} {i}")) for i, one in enumerate(found)
    ]


def thumbs(liked: int, disliked: int) -> list[Example]:
    return [*judged(liked, 1.0, "up"), *judged(disliked, 0.0, "down")]


def test_thumbs_alone_make_a_batch_and_its_rows_are_ktos(store: Store) -> None:
    store.write(lambda tx: keep(tx, *thumbs(9, 12), *corrected(3)))
    task = config()
    assert look(store, task).have == 24
    found = material(store, task)
    phases = phases_of(found, task, 0, seed=1)
    report = routing(found, phases)
    assert report["preference"] == "kto on 9 liked and 12 disliked answers (learners.preference: auto; 0 of 16 pairs)"
    assert report["rows"] == {
        "sft": {"new": 3, "replayed": 0, "dev": 0},
        "kto": {"new": 21, "replayed": 0, "dev": 0, "liked": 9, "disliked": 12, "given up by sft": 9},
    }
    assert {row.reward for row in rows_to_train(phases[1])} == {1.0, -1.0}


@pytest.mark.parametrize(
    ("preference", "liked", "have"), [("auto", 7, 7), ("auto", 8, 20), ("kto", 1, 13), ("kto", 0, 0), ("off", 9, 9)]
)
def test_disliked_answers_count_towards_a_batch_only_where_it_would_train_on_them(
    store: Store, preference: str, liked: int, have: int
) -> None:
    store.write(lambda tx: keep(tx, *thumbs(liked, 12)))
    decision = look(store, config(preference=preference))
    assert decision.have == have
    assert ("12 response (no method" in decision.reason) is (have == liked)
    assert ("SFT's floor: 0.75, as configured" in decision.reason) is (have == liked)


@pytest.mark.parametrize(("validator", "have"), [("length", 12), (None, 24)])
def test_auto_takes_no_kto_where_it_is_known_which_liked_answers_fail(
    store: Store, validator: str | None, have: int
) -> None:
    store.write(lambda tx: keep(tx, *thumbs(12, 12)))
    task = config(hard_negatives=True).model_copy(
        update={"validator": ValidatorChoice(name=validator, settings={"max": 50}) if validator else None}
    )
    decision = look(store, task)
    assert decision.have == have
    assert ("12 response (no method: 0 of 16 pairs; learners.preference: auto takes no kto" in decision.reason) is (
        validator is not None
    )


def test_a_batch_that_is_full_holds_both_signs(store: Store) -> None:
    """40 is the most: by difficulty alone, none of the liked ones would be in it."""
    store.write(lambda tx: keep(tx, *thumbs(60, 60)))
    assert look(store, config()).ripe
    found = material(store, config())
    assert found.sorted.preference.method == "kto"


def test_what_nobody_may_learn_from_is_counted_by_why(store: Store) -> None:
    cut = judged(2, 1.0, "cut", finish_reason="length")
    run_on = [replace(one, response="so on " * 20) for one in judged(3, 1.0, "run")]
    old = judged(4, 0.0, "old", adapter="erd@v1")
    store.write(lambda tx: keep(tx, *cut, *run_on, *old, *thumbs(8, 8)))
    store.write(lambda tx: registry.ensure_line(tx, "erd", "base", NOW))
    for version in range(1, 13):
        store.write(lambda tx, version=version: registry.add_candidate(tx, adapter(version)))  # type: ignore[misc]
    for version in range(1, 13):
        store.write(lambda tx, to=version: registry.set_champion(tx, "erd", f"erd@v{to}", NOW, ""))  # type: ignore[misc]
    decision = look(store, config())
    assert all(words in decision.reason for words in ("4 superseded", "3 run-on", "2 cut"))


def test_a_pair_does_not_choose_what_was_cut_off_in_another_interaction(store: Store) -> None:
    """Its own response ended well; the preferred one came with another interaction, which the preference names."""
    other = example("other", response="a text that was cut o", finish_reason="length", scalar=None)
    preferred = Preference("a text that was cut o", "erDiagram", False, "other", None)
    said = [event("i", response="erDiagram"), event("p", body=preferred, user_id="u1")]
    joined = join(said, JoinSettings(), SimilaritySettings()).example
    pairs = joined.pairs
    unlike = replace(pairs[0], chosen="a text that was cut out later")  # of which that finish reason says nothing
    store.write(lambda tx: keep(tx, other))
    for pair, ending in ((pairs[0], "cut"), (unlike, None), (replace(pairs[0], chosen_in=None), None)):
        one = replace(joined, pairs=(pair,))
        standing = store.read(lambda tx, one=one: standing_of(tx, config(), [one]))  # type: ignore[misc]
        (row,) = rows_of(one, config().rewards, NOW, standing=standing)
        assert (row.role, row.ending) == ("pair", ending)


def test_candidates_that_were_rejected_succeed_nobody(store: Store) -> None:
    store.write(lambda tx: registry.ensure_line(tx, "erd", "base", NOW))
    for version in range(1, 14):
        store.write(lambda tx, version=version: registry.add_candidate(tx, adapter(version)))  # type: ignore[misc]
    for version in (2, 13):
        store.write(lambda tx, to=version: registry.set_champion(tx, "erd", f"erd@v{to}", NOW, ""))  # type: ignore[misc]
    (one,) = judged(1, 0.0, "disliked", adapter="erd@v2")
    standing = store.read(lambda tx: standing_of(tx, config(), [one]))
    (row,) = rows_of(one, config().rewards, NOW, standing=standing)
    assert (row.versions_behind, row.superseded) == (1, False)


def adapter(version: int) -> Adapter:
    return Adapter(f"erd@v{version}", "erd", version, "base", None, None, NOW, "candidate")


def test_trust_and_floor_are_read_from_the_store_and_told_without_names(store: Store) -> None:
    """Two say the same of six answers, the third the contrary."""
    said = [("ann", 1.0), ("ben", 1.0), ("eve", 0.0)]
    events = [
        rating(f"{user}{n}", f"i{n}{user}", user_id=user, signal=Signal(signal, "1"), received_at=later(n))
        for user, signal in said
        for n in range(6)
    ]
    examples = [by(user, example(f"i{n}{user}", response=f"answer {n}")) for user, _ in said for n in range(6)]
    store.write(lambda tx: (insert(tx, events), keep(tx, *examples)))
    trust = store.read(lambda tx: standing_of(tx, config(), examples)).trust
    assert trust.of(["eve"]) < 0.5 < trust.of(["ann"]) < 1
    assert trust.words() == "1 of 3 users below 0.5"
    off = config().model_copy(update={"rewards": config().rewards.model_copy(update={"trust": False})})
    assert store.read(lambda tx: standing_of(tx, off, examples)).trust.of(["eve"]) == 1.0
    auto = config().model_copy(update={"sft": config().sft.model_copy(update={"min_signal": "auto"})})
    assert store.read(lambda tx: floor_of(tx, auto)).reason.startswith("0.75: auto wants 20 signals and there are 18")
    strict = config().model_copy(update={"rewards": config().rewards.model_copy(update={"midpoint": 0.8})})
    assert store.read(lambda tx: floor_of(tx, strict)).signal == 0.8


def test_updates_show_tells_where_rows_went_and_what_was_left_out() -> None:
    report = {
        "rows": {"kto": {"new": 20, "replayed": 0, "dev": 0, "liked": 9, "disliked": 11, "given up by sft": 9}},
        "preference": "kto on 9 liked and 11 disliked answers",
        "trust": "1 of 3 users below 0.5",
        "floor": "0.8: the median",
        "no_method": {"cut": 2, "superseded": 1},
        "gave_way": {},
    }
    text = "\n".join(
        lines_of(
            {"update_id": 1, "task": "erd", "state": "running", "candidate": None, "champion": "erd@v0", "reason": "r",
             "batch_size": 20, "pool_size": 23, "attempts": 0, "report": report}
        )
    )  # fmt: skip
    assert "rows for kto: 20 new, 0 replayed, 0 dev, 9 liked, 11 disliked, 9 given up by sft" in text
    assert "trust: 1 of 3 users below 0.5; SFT's floor: 0.8: the median" in text
    assert "rows no method learns from: 2 cut, 1 superseded" in text


def test_a_thumb_is_trained_on_under_another_setting_only_if_it_still_says_so(store: Store) -> None:
    store.write(lambda tx: keep(tx, *thumbs(9, 12)))
    assert look(store, config()).ripe
    found = material(store, config(preference="off"))
    assert [row.reward for row in found.batch] == [1.0] * 9
    assert found.sorted.no_method == {"response": 12}


@pytest.mark.train
@pytest.mark.slow
def test_what_the_champion_knows_already_is_learned_by_an_update_that_fails(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import learners.training.sifting as sifting

    monkeypatch.setattr(sifting, "outgrown", lambda *_: SOLVED)
    store.write(lambda tx: keep(tx, *compared(12)))
    learning = Learning(store, tmp_path, preference="dpo")
    with pytest.raises(AssertionError, match="Nothing is left to train on: 12 solved under the champion"):
        learning.train()
    assert learning.update().state == "failed"
    assert store.read(lambda tx: buffer.buffer_counts(tx, "erd")).learned == 12


@pytest.mark.train
@pytest.mark.slow
def test_liked_answers_from_which_kto_cannot_learn_are_imitated_after_all(store: Store, tmp_path: Path) -> None:
    """All are to one prompt, which only the worker minds."""
    store.write(lambda tx: keep(tx, *thumbs(5, 5)))
    learning = Learning(store, tmp_path, preference="kto")
    update = learning.train()
    assert update.report["preference"].startswith("kto on 5 liked and 5 disliked answers")
    sft, kto = update.report["training"]["phases"]
    assert (sft["method"], sft["rows"], kto["method"], kto["rows"]) == ("sft", 5, "kto", 0)
    assert kto["dropped"] == {"to one prompt alone: kto needs answers to two": 5}
