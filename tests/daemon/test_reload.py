"""The config of a running daemon: however editors and clusters change a file, it is seen; faults change nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon import reload
from daemon.config import Config
from daemon.reload import ConfigSource, ConfigWatch, watched_folders
from tests.services.waiting import wait_until

PATIENCE_S = 30.0
NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Watched:
    """A file under watch, and the config in force."""

    def __init__(self, path: Path, *overrides: str) -> None:
        source = ConfigSource(path, overrides, {})
        self.config = source.load()
        self.watch = ConfigWatch(source, self.config, self._swap, lambda: NOW)

    def _swap(self, config: Config) -> None:
        self.config = config

    def comes(self, what: Callable[[], bool]) -> None:
        wait_until(what, PATIENCE_S, "the change to be seen", lambda: str(self.watch.state))

    def minimum(self, expected: int) -> None:
        self.comes(lambda: self.config.batching.min == expected)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "adaptd.yaml"
    path.parent.mkdir()
    path.write_text("batching: {min: 20}\n")
    return path


@pytest.fixture
def watched(file: Path) -> Iterator[Watched]:
    found = Watched(file)
    found.watch.start()
    yield found
    found.watch.stop()


def renamed_over(file: Path, text: str) -> None:
    """As most editors save."""
    beside = file.with_name(".adaptd.yaml.swp")
    beside.write_text(text)
    beside.rename(file)


def test_a_file_written_in_place_and_one_renamed_over_it_are_both_seen(file: Path, watched: Watched) -> None:
    file.write_text("batching: {min: 21}\n")
    watched.minimum(21)
    renamed_over(file, "batching: {min: 22}\n")
    watched.minimum(22)
    renamed_over(file, "batching: {min: 23}\n")
    watched.minimum(23)
    watched.comes(lambda: watched.watch.state.reloads_ok == 3)
    assert watched.watch.state.last_reload == "ok"


def test_a_swap_of_the_link_of_a_config_map_is_seen(tmp_path: Path) -> None:
    mount = tmp_path / "mount"

    def publish(version: str, text: str) -> None:
        """As a kubelet does: a new folder, a new link beside the old one, one rename."""
        (mount / version).mkdir(parents=True)
        (mount / version / "adaptd.yaml").write_text(text)
        (mount / "..data_tmp").symlink_to(version)
        (mount / "..data_tmp").rename(mount / "..data")

    publish("..2026_1", "batching: {min: 20}\n")
    (mount / "adaptd.yaml").symlink_to("..data/adaptd.yaml")
    watched = Watched(mount / "adaptd.yaml")
    watched.watch.start()
    try:
        for number in (2, 3):
            publish(f"..2026_{number}", f"batching: {{min: 2{number}}}\n")
            watched.minimum(20 + number)
    finally:
        watched.watch.stop()


def test_a_link_to_a_file_elsewhere_is_followed(tmp_path: Path, file: Path) -> None:
    link = tmp_path / "adaptd.yaml"
    link.symlink_to(file)
    assert watched_folders(link) == (tmp_path, file.parent)
    watched = Watched(link)
    watched.watch.start()
    try:
        renamed_over(file, "batching: {min: 30}\n")
        watched.minimum(30)
    finally:
        watched.watch.stop()


def test_a_broken_file_changes_nothing_and_says_where(file: Path, watched: Watched) -> None:
    renamed_over(file, "batching: {min: 50\n")
    watched.comes(lambda: watched.watch.state.reloads_failed == 1)
    assert watched.config.batching.min == 20
    assert watched.watch.state.last_reload.startswith(f"{file}:2: not valid YAML:")
    renamed_over(file, "batchng: {min: 50}\nwatch: {rollback: auto}\n")
    watched.comes(lambda: watched.watch.state.reloads_failed == 2)
    assert watched.watch.state.last_reload.endswith("unknown key; did you mean `batching`? (and 1 more)")
    renamed_over(file, "batching: {min: 51}\n")
    watched.minimum(51)
    watched.comes(lambda: watched.watch.state.last_reload == "ok")


def test_a_file_that_is_emptied_or_gone_changes_nothing(file: Path, watched: Watched) -> None:
    file.write_text("")
    watched.comes(lambda: watched.watch.state.reloads_failed == 1)
    assert watched.watch.state.last_reload == f"{file}: is empty"
    file.unlink()
    watched.comes(lambda: watched.watch.state.reloads_failed == 2)
    assert "there is no such file" in watched.watch.state.last_reload
    assert watched.config.batching.min == 20


def test_half_a_file_is_never_taken(file: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both halves are valid by themselves; the writer pauses for less than the watch waits for it to rest."""
    monkeypatch.setattr(reload, "SETTLE_S", 2.0)
    taken: list[int] = []
    watched.watch._swap = lambda config: taken.append(config.batching.max)
    with file.open("w") as writing:
        for line in ("batching:\n", "  min: 20\n", "  max: 44\n"):
            writing.write(line)
            writing.flush()
            threading.Event().wait(0.1)
    watched.comes(lambda: bool(taken))
    assert taken == [44]


def test_flags_stay_laid_over_what_is_reloaded(file: Path) -> None:
    watched = Watched(file, "batching.min=33")
    renamed_over(file, "batching: {min: 20, max: 60}\n")
    watched.watch.look()
    assert (watched.config.batching.min, watched.config.batching.max) == (33, 60)


def test_what_needs_a_restart_stays_and_is_said_until_the_file_is_back(file: Path) -> None:
    watched = Watched(file)
    before = watched.config.storage
    renamed_over(file, "batching: {min: 40}\nstorage: {url: 'sqlite:///other.db'}\n")
    watched.watch.look()
    assert (watched.config.batching.min, watched.config.storage) == (40, before)
    assert watched.watch.state.needs_restart == ("storage.url",)
    renamed_over(file, "batching: {min: 41}\n")
    watched.watch.look()
    assert not watched.watch.state.needs_restart


def test_the_same_content_is_not_read_again(file: Path) -> None:
    watched = Watched(file)
    os.utime(file)
    watched.watch.look()
    assert watched.watch.state.reloads_ok == 0
