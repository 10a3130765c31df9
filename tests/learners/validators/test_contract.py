"""What every validator promises; a new file in `learners/validators/` is tested here without being named."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import learners.validators
from learners.validators import (
    UnknownValidatorError,
    Validated,
    Validator,
    ValidatorUnavailable,
    asks_a_service,
    open_validator,
    validator_names,
    validators,
)
from storage.records.settings import Settings

from .samples import SAMPLES

NAMES = validator_names()
ANY_TEXT = st.text(st.characters(), max_size=300)  # lone surrogates and NUL included


@cache
def opened(name: str) -> Validator:
    assert name in SAMPLES, f"describe {name} in samples.py: settings that work, an answer that passes, fragments"
    return open_validator(name, SAMPLES[name].settings)


def assert_well_formed(said: Validated) -> None:
    assert 0.0 <= said.score <= 1.0
    assert said.checks.keys() == said.parts.keys()
    assert said.checks
    assert all(type(holds) is bool for holds in said.checks.values())
    assert all(0.0 <= part <= 1.0 for part in said.parts.values())
    assert all((part == 1.0) == said.checks[check] for check, part in said.parts.items())
    assert said.passed == all(said.checks.values()) == (said.score == 1.0)


def test_every_file_in_the_folder_is_a_validator() -> None:
    folder = Path(learners.validators.__file__).parent
    assert set(NAMES) == {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {"mermaid_erd", "json_schema", "python_syntax", "sql", "regex", "length", "exact", "http"} <= set(
        validators()
    )


@pytest.mark.parametrize("name", NAMES)
def test_who_may_get_no_score_says_that_it_asks_a_service(name: str) -> None:
    kinds = [one for one in vars(validators()[name]).values() if isinstance(one, type)]
    raises = any(issubclass(kind, ValidatorUnavailable) for kind in kinds)
    assert asks_a_service(name) == raises


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        UnknownValidatorError, match=r"no validator 'mermaid'; set .* to one of: exact, http, json_schema,"
    ):
        open_validator("mermaid")


def test_finding_and_opening_validators_loads_no_training_library() -> None:
    code = (
        "import sys; from learners.validators import validators; validators();"
        "heavy = {'torch', 'transformers', 'peft', 'trl', 'sentence_transformers'} & set(sys.modules);"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_its_settings_are_documented_and_refuse_unknown_keys(name: str) -> None:
    its_settings = validators()[name].Settings
    assert issubclass(its_settings, Settings)
    assert its_settings.model_config.get("extra") == "forbid"
    assert all(field.description for field in its_settings.model_fields.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_good_answer_passes_with_a_full_score(name: str) -> None:
    sample = SAMPLES[name]
    said = opened(name).validate(sample.prompt, sample.passing)
    assert_well_formed(said)
    assert said.passed


@pytest.mark.parametrize("name", NAMES)
def test_a_fence_around_a_good_answer_changes_nothing(name: str) -> None:
    sample = SAMPLES[name]
    plain = opened(name).validate(sample.prompt, sample.passing)
    assert opened(name).validate(sample.prompt, f"```text\n{sample.passing}\n```\n") == plain


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", ["", " ", "\x00", "No.", "\ud800", "```", "``````", "```\n```"])
def test_an_empty_or_odd_answer_does_not_pass(name: str, answer: str) -> None:
    said = opened(name).validate(SAMPLES[name].prompt, answer)
    assert_well_formed(said)
    assert not said.passed


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100, deadline=None)
@given(prompt=ANY_TEXT, answer=ANY_TEXT)
def test_any_text_is_judged_without_raising(name: str, prompt: str, answer: str) -> None:
    assert_well_formed(opened(name).validate(prompt, answer))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_pieces_of_its_language_in_any_order_are_judged_without_raising(name: str, data: st.DataObject) -> None:
    sample = SAMPLES[name]
    pieces = data.draw(st.lists(st.sampled_from(sample.fragments), max_size=40))
    answer = data.draw(st.sampled_from(["", sample.passing, sample.passing[:60]])) + "".join(pieces)
    first = opened(name).validate(sample.prompt, answer)
    again = open_validator(name, sample.settings).validate(sample.prompt, answer)
    assert_well_formed(first)
    assert first == again


@pytest.mark.timeout(120)  # each takes milliseconds; anything quadratic takes minutes
@pytest.mark.parametrize("name", NAMES)
def test_a_long_run_of_any_piece_is_judged_in_linear_time(name: str) -> None:
    sample = SAMPLES[name]
    its = opened(name)
    for fragment in sample.fragments:
        for run in (fragment * (20_000 // len(fragment)), (fragment + " x ") * (20_000 // (len(fragment) + 3))):
            assert_well_formed(its.validate(run, run))
            assert_well_formed(its.validate("", f"{sample.passing}\n{run}"))


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_of_ten_million_characters_is_refused(name: str) -> None:
    said = opened(name).validate("", " x" * 5_000_000)
    assert_well_formed(said)
    assert said.score == 0.0
