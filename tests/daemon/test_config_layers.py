"""Flags lie over variables and those over the file, and a fault is blamed on the layer that made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon.config_texts import faults, read


def test_flags_lie_over_variables_and_those_over_the_file(file: Path) -> None:
    text = "batching: {min: 21, max: 70}\n"
    assert read(file, text).batching.min == 21
    environ = {"ADAPTD_BATCHING__MIN": "22", "ADAPTD_API__PORT": "8800", "ADAPTD_URL": "http://x", "HOME": "/"}
    assert read(file, text, environ=environ).batching.min == 22
    config = read(file, text, ["batching.min=23"], environ)
    assert (config.batching.min, config.batching.max, config.api.port) == (23, 70, 8800)


def test_a_flag_reaches_into_a_section_that_the_file_leaves_empty(file: Path) -> None:
    task = read(file, "tasks:\n  erd:\n", ["tasks.erd.batching.min=30"]).task("erd")
    assert task is not None
    assert task.batching.min == 30


def test_a_bad_flag_or_variable_is_named_instead_of_a_line(file: Path) -> None:
    text = "batching: {min: 20}\n"
    assert faults(file, text, ["batching.min=few"])[0].startswith("--set batching.min=few: batching.min: ")
    environ = {"ADAPTD_BATCHING__MIN": "few"}
    assert faults(file, text, environ=environ)[0].startswith("ADAPTD_BATCHING__MIN: batching.min: ")
    assert faults(file, text, ["batchng.min=3"]) == [
        "--set batchng.min=3: batchng: unknown key; did you mean `batching`?"
    ]


def test_a_contradiction_is_blamed_on_the_flags_that_make_it(file: Path) -> None:
    text, words = "batching:\n  min: 10\n", "batching.max (20) is below batching.min (100); raise max or lower min"
    both = ["batching.min=100", "batching.max=20", "batching.max_wait=1h"]
    assert faults(file, text, both) == [f"--set batching.min=100, --set batching.max=20: batching: {words}"]
    (line,) = faults(file, "batching: {min: 100}\n", ["batching.max=20"])
    assert line.startswith("--set batching.max=20: batching: ")
    (line,) = faults(file, "batching: {min: 100, max: 20}\n", ["batching.max_wait=1h"])
    assert line.startswith("adaptd.yaml:1: batching: ")


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("batching.min", "write it as key.path=value, such as batching.min=30"),
        ("=3", "write it as key.path=value"),
        ("batching.min={", "the value is not valid YAML"),
        ("batching.min.x=3", "min has no keys of its own"),
        ("sources.0.name=x", "sources has no keys of its own"),
    ],
)
def test_a_flag_that_makes_no_sense_says_why(file: Path, flag: str, words: str) -> None:
    (line,) = faults(file, "batching: {min: 20}\nsources: [{type: http}]\n", [flag])
    assert line.startswith(f"--set {flag}: ")
    assert words in line
