"""What the doctor says of addresses that nothing can listen on."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config import load
from daemon.doctor import network
from daemon.doctor.network import check_network


@pytest.mark.parametrize("host", ["999.1.1.1", "192.0.2.1", f"{'a' * 70}.example", "::zz"])
def test_a_host_that_is_none_of_this_machines_is_a_failed_check(
    tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "ASK_TIMEOUT_S", 0.2)
    (tmp_path / "adaptd.yaml").touch()
    found = check_network(load(tmp_path / "adaptd.yaml", overrides=[f"api.host='{host}'"], environ={}))
    (port,) = [check for check in found if check.name == "port"]
    assert (port.state, port.exit_code) == ("fail", 3)
    assert f"cannot listen on {host}:8712" in port.words
    assert "set `api.host` to an address of this machine" in port.words
