"""Kinds of source are found by their file's name, cheaply, and know their settings."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from consumers.sources import source_types
from consumers.sources.http import Settings as HttpSettings
from consumers.sources.jsonl import Settings as JsonlSettings


def test_every_kind_is_found_and_all_but_http_poll() -> None:
    kinds = source_types()
    assert {"http", "jsonl", "kafka", "memory"} <= set(kinds)
    assert [name for name, kind in kinds.items() if kind.open is None] == ["http"]


def test_finding_them_loads_no_client_library() -> None:
    code = "import consumers.sources as s, sys; s.source_types(); print('kafka' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_a_source_is_named_after_its_type_unless_it_has_a_name() -> None:
    assert HttpSettings().name == "http"
    assert JsonlSettings.model_validate({"type": "jsonl", "path": "x", "name": "backfill"}).name == "backfill"


@pytest.mark.parametrize("wrong", [{"nmae": "x"}, {"name": "No spaces"}])
def test_unknown_keys_and_odd_names_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        HttpSettings.model_validate(wrong)
