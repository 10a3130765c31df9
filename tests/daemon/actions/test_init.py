"""What `adaptd init` writes can be loaded as it stands, and nothing is written over unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.actions.init import Users, template, write_config
from daemon.config import load
from daemon.errors import Denied
from tests.daemon.config_texts import read


@pytest.mark.parametrize("users", ["one", "many"])
def test_what_init_writes_loads_as_it_is(file: Path, users: Users) -> None:
    config = load(write_config(file, users), environ={})
    assert config.task("my-task") is not None
    assert [source.type for source in config.sources] == ["http"]
    assert config.model.base == str(file.parent / "base-model")
    if users == "one":
        assert (config.holdout.by, config.batching.min_users, config.batching.max_share_per_user) == ("prompt", 1, 1.0)
    else:
        assert (config.holdout.by, config.batching.min_users, config.batching.max_share_per_user) == ("user", 5, 0.2)


@pytest.mark.parametrize("users", ["one", "many"])
def test_the_commented_out_lines_of_init_are_right_too(file: Path, users: Users) -> None:
    config = read(file, template(users).replace("  # - {", "  - {").replace("  # erd:", "  erd:"))
    assert [source.type for source in config.sources] == ["http", "kafka", "jsonl"]
    assert set(config.tasks) == {"my-task", "erd"}


def test_init_never_writes_over_a_file_unasked(file: Path) -> None:
    file.write_text("mine")
    with pytest.raises(Denied, match="exists already; --force"):
        write_config(file, "many")
    assert file.read_text() == "mine"
    write_config(file, "many", force=True)
    assert load(file, environ={}).tasks


def test_init_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Denied, match="cannot be written: Not a directory"):
        write_config(tmp_path / "file" / "adaptd.yaml", "one")
