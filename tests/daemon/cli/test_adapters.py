"""The table of adapters says which score cannot be compared with the newest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.cli.adapters import list_
from storage.store import Store
from tests.daemon.daemons import write_yaml
from tests.daemon.past import change_validator, live_through


def test_a_score_by_an_earlier_validator_says_so_in_the_table_and_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/adaptd.db"
    with Store.open(url) as store:
        live_through(store)
        change_validator(store)
    config = write_yaml(tmp_path, {"storage": {"url": url, "artifacts": str(tmp_path / "artifacts")}})
    list_(task=None, config=config, url=None)
    printed = capsys.readouterr().out
    assert " 65.0* " in printed
    assert " 30.0 " in printed
    assert "* by an earlier validator" in printed
    list_(task="erd", config=config, url=None, as_json=True)
    found = {one["name"]: (one["yardstick"], one["comparable"]) for one in json.loads(capsys.readouterr().out)}
    assert (found["erd@v3"], found["erd@v4"]) == (("old", False), ("new", True))
