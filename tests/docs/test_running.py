"""What docs/running.md tells operators to type works on a daemon that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon.daemons import Daemon, adaptd, free_port, write_yaml
from tests.daemon.desk import wire
from tests.docs.shell_blocks import Reader, page


@pytest.mark.slow
def test_a_backup_of_a_running_daemon_is_restored_elsewhere_with_every_event(tmp_path: Path) -> None:
    with Daemon(write_yaml(tmp_path, {})) as daemon:
        assert daemon.client.post("/v1/events", json=wire("kept")).json()["stored"] == 1
        printed = Reader(tmp_path).reads(page("running.md"))
        assert daemon.client.post("/v1/events", json=wire("later")).json()["stored"] == 1
    assert "1 stored" in printed[-1]
    with Daemon(tmp_path / "restored" / "adaptd.yaml") as restored:
        again = restored.client.post("/v1/events", json=[wire("kept"), wire("later")]).json()
        assert (again["stored"], again["duplicates"]) == (1, 1)


@pytest.mark.slow
def test_a_second_daemon_on_the_store_is_refused_with_the_code_that_the_page_names(tmp_path: Path) -> None:
    config = write_yaml(tmp_path, {})
    with Daemon(config):
        done = adaptd("run", "--role", "intake,api", "--set", f"api.port={free_port()}", cwd=tmp_path)
    assert done.returncode == 5
    assert "is open for writing by process" in done.stderr
