"""Who took part in an update: not who was switched on, and not a guess where nothing is known."""

from __future__ import annotations

from typing import Any

from daemon.actions.participation import parts_of

ON = {"preference": "auto", "curriculum": True, "active": True, "augmentation": False}


def parts(**training: Any) -> dict[str, str]:
    return dict(parts_of({"learners": ON, "training": {"phases": [], "learners": {}, **training}}))


def test_a_preference_that_was_on_took_part_where_a_phase_of_it_took_a_step() -> None:
    sft, dpo = {"method": "sft", "steps": 9}, {"method": "dpo", "steps": 9}
    assert parts(phases=[sft])["preference"] == "idle"
    assert parts(phases=[sft, dpo])["preference"] == "took part"
    assert parts(phases=[sft, dpo | {"steps": 0}])["preference"] == "idle", "it lost all of its rows"


def test_a_learner_took_part_by_its_figures_and_who_schedules_by_its_stages() -> None:
    staged = [{"method": "sft", "steps": 9, "stages": [{"name": "easy", "steps": 9, "rows": 3}]}]
    both = {"curriculum": {"numbers": {"left_out": 0.0}}, "active": {"numbers": {"brought": 0.0}}}
    found = parts(phases=staged, learners=both)
    assert (found["curriculum"], found["active"], found["augmentation"]) == ("took part", "idle", "off")
    assert parts(learners=both)["curriculum"] == "idle", "the phase stayed in random order"
    figures = {"curriculum": {"numbers": {"left_out": 2.0}}, "active": {"numbers": {"brought": 3.0}}}
    found = parts(learners=figures)
    assert (found["curriculum"], found["active"]) == ("took part", "took part")
    assert parts()["active"] == "idle"


def test_a_search_took_part_where_what_it_found_was_in_force() -> None:
    report = {"learners": {"hyperparameters": True}}
    assert parts_of(report) == {"hyperparameters": "unknown"}
    for origin, part in (("adaptd.yaml", "idle"), ("tuning 2 of study 1, in force since yesterday", "took part")):
        assert parts_of({**report, "settings": {"origin": origin}}) == {"hyperparameters": part}


def test_what_was_on_in_an_update_that_did_not_train_is_not_known() -> None:
    found = parts_of({"learners": ON})
    assert (found["preference"], found["curriculum"], found["augmentation"]) == ("unknown", "unknown", "off")
    assert parts_of({"batch": []}) == {}
    older = parts_of({"learners": ON, "training": {"method": "sft", "steps": 4}})
    assert (older["preference"], older["active"]) == ("idle", "unknown"), "reports once had no learners"
