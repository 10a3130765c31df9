"""The engine target against the real local engine, killed in between."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.release.contract import Wanted
from daemon.release.engine import EngineTarget, Settings
from learners.engines.client import EngineClient
from learners.engines.process import PortProcess, local_engine_command
from learners.engines.wire import Sampling
from learners.probes import PROBES
from storage.records import Message
from tests.daemon.release.wanted import adapter_of
from tests.learners.engines.tiny import make_adapter, make_base

pytestmark = [pytest.mark.train, pytest.mark.slow]


def test_a_killed_engine_gets_its_champion_back_and_a_false_record_is_refused(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    folder = make_adapter(base, tmp_path / "adapter", seed=1)
    one = Wanted(adapter_of("erd", 1, folder), folder)
    process = PortProcess(local_engine_command(base, threads=1, max_adapters=2), tmp_path / "engine")
    process.start()
    try:
        target = EngineTarget(Settings(), 2, process.wait_ready(timeout_s=180))
        assert target.reconcile([one])[0].state == "serving"
        before = answers(target)

        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        assert target.reconcile([one])[0].state == "waiting"
        process.stop()
        process.start()
        target.moved(process.wait_ready(timeout_s=180))
        assert target.reconcile([one])[0].state == "serving"
        assert answers(target) == before

        recorded = [{"prompt": prompt, "completion": text, "nll": 0.5, "tokens": 9} for prompt, text in PROBES]
        other = replace(one, adapter=replace(one.adapter, name="erd@v2", version=2, manifest={"probes": recorded}))
        (outcome,) = target.reconcile([other])
        assert outcome.state == "failed"
        assert "does not answer as it was trained" in outcome.reason
        assert answers(target) == before, "the former champion goes on serving"
        target.close()
    finally:
        process.stop()


def answers(target: EngineTarget) -> list[str]:
    route = target.routes().tasks["erd"]
    with EngineClient(route.engine_url) as client:
        prompts = [(Message("user", text),) for text in ("hi", "ho")]
        return [a.text for a in client.generate(route.engine_model, prompts, Sampling(max_tokens=12))]
