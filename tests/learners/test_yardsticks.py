"""Two scores have one yardstick when they may be compared, and two when they may not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from learners.validators import UnknownValidatorError
from learners.yardsticks import (
    comparable,
    known,
    likelihood_yardstick,
    main_metric,
    main_scores,
    set_yardstick,
    validator_yardstick,
)
from storage.records import Score
from tests.storage.makers import NOW


def score(version: int, hours: int, yardstick: str | None, metric: str = "validator") -> Score:
    return Score(f"erd@v{version}", metric, 0.5, 60, NOW + timedelta(hours=hours), yardstick)


def test_another_validator_or_other_settings_are_another_yardstick() -> None:
    one = validator_yardstick("length", {"max": 100})
    assert one == validator_yardstick("length", {"max": 100, "count": "words"}), "words is the default"
    others = {validator_yardstick("length", {"max": 99}), validator_yardstick("regex", {"pattern": "a"})}
    assert len({one, *others}) == 3
    assert len(one) == 12


def test_how_long_a_service_may_take_is_no_part_of_it_and_its_address_is() -> None:
    one = validator_yardstick("http", {"url": "http://a/score"})
    assert one == validator_yardstick("http", {"url": "http://a/score", "timeout": "1m", "attempts": 5})
    assert one != validator_yardstick("http", {"url": "http://b/score"})


def test_what_is_in_a_file_counts_and_not_where_it_is(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    first.write_text('{"type": "object"}')
    second.write_text('{"type": "object"}')
    before = validator_yardstick("json_schema", {"schema_file": str(first)})
    assert before == validator_yardstick("json_schema", {"schema_file": str(second)})
    second.write_text('{"type": "array"}')
    assert before != validator_yardstick("json_schema", {"schema_file": str(second)})
    second.unlink()
    assert before != validator_yardstick("json_schema", {"schema_file": str(second)}), "gone: the job says so"


def test_a_schema_in_the_settings_counts_by_what_it_says(tmp_path: Path) -> None:
    schemas = ({"type": "object", "required": ["a"]}, {"required": ["a"], "type": "object"}, {"type": "object"})
    found = [validator_yardstick("json_schema", {"schema": schema}) for schema in schemas]
    assert found[0] == found[1] != found[2]


def test_what_is_no_validator_has_no_yardstick() -> None:
    with pytest.raises(UnknownValidatorError):
        validator_yardstick("no_such", {})
    with pytest.raises(ValidationError):
        validator_yardstick("length", {"most": 3})


def test_a_set_is_its_prompts_and_targets_in_any_order_and_how_they_are_compared() -> None:
    items = [("a", "x"), ("b", "y")]
    assert set_yardstick(items) == set_yardstick(items[::-1])
    assert len({set_yardstick(items), set_yardstick(items[:1]), set_yardstick(items, {"bleu": 0.0})}) == 3


def test_only_scores_by_the_newest_yardstick_of_their_metric_can_be_compared() -> None:
    old, kept, new = score(1, 1, "a"), score(1, 1, "set", "golden"), score(2, 2, "b")
    assert comparable([old, kept, new]) == [kept, new]
    back = score(3, 3, "a")
    assert comparable([old, new, back]) == [old, back], "the one of before is in force again"


def test_a_score_of_before_yardsticks_were_kept_counts_as_the_first_known() -> None:
    older = score(0, 0, None)
    assert comparable([older, score(1, 1, None)]) == [older, score(1, 1, None)]
    assert [one.adapter for one in comparable([older, score(1, 1, "a")])] == ["erd@v0", "erd@v1"]
    assert [one.yardstick for one in known([score(2, 2, "b"), older, score(1, 1, "a")])] == ["b", "a", "a"]
    assert comparable([older, score(1, 1, "a"), score(2, 2, "b")]) == [score(2, 2, "b")]
    assert known([older, score(1, 1, "set", "golden")])[0].yardstick is None, "of another metric"


def test_likelihoods_on_two_bases_have_two_yardsticks() -> None:
    assert likelihood_yardstick("a" * 64) == likelihood_yardstick("a" * 64) != likelihood_yardstick("b" * 64)


def test_adapters_are_told_apart_by_the_validator_else_by_the_likelihood_of_the_newest_judging() -> None:
    both = [score(1, 1, None, "nll"), score(1, 1, None)]
    assert main_metric(both) == "validator"
    assert main_metric([*both, score(2, 2, None, "nll")]) == "nll", "the validator was taken away"
    assert main_metric([score(1, 1, None, "golden"), score(1, 1, None, "retention")]) is None
    kept = [*both, score(2, 2, None, "nll"), score(2, 3, None, "golden")]
    assert main_scores(kept) == [both[0], kept[2]]
