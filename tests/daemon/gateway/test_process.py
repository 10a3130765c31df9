"""The gateway as the process that the daemon starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from learners.engines.errors import EngineUnreachable
from learners.engines.ports import bind_port
from learners.engines.process import PortProcess
from tests.daemon.gateway.servers import wait_until
from tests.learners.engines.processes import is_running

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "daemon.gateway", "--api-url", "http://127.0.0.1:1"]


def test_it_serves_before_the_daemon_does(tmp_path: Path) -> None:
    gateway = PortProcess([*COMMAND, "--port", "0"], tmp_path)
    gateway.start()
    try:
        url = gateway.wait_ready(timeout_s=60)
        assert httpx.get(f"{url}/healthz").json() == {"status": "ok", "routes_known": False}
    finally:
        gateway.stop()


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with bind_port("127.0.0.1", 0) as taken:
        taken.listen(1)
        port = taken.getsockname()[1]
        gateway = PortProcess([*COMMAND, "--settings", json.dumps({"port": port})], tmp_path)
        gateway.start()
        with pytest.raises(EngineUnreachable, match=rf"code 1: Port {port} on 127.0.0.1 cannot be taken \(.*\); stop"):
            gateway.wait_ready(timeout_s=60)
        gateway.stop()


def test_it_ends_when_its_parent_does(tmp_path: Path) -> None:
    starter = (
        "import pathlib, time\n"
        "from learners.engines.process import PortProcess\n"
        f"p = PortProcess({[*COMMAND, '--port', '0']!r}, pathlib.Path({str(tmp_path)!r})); p.start()\n"
        "p.wait_ready(60); print(p.pid, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not is_running(pid))
