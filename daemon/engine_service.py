"""The local engine as a supervised service: its command, its folder, its address once it answers."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.config import Config
from daemon.supervisor import Service, ServiceSpec
from learners.engines.client import EngineClient
from learners.engines.errors import EngineError
from learners.engines.process import local_engine_command


class EngineService:
    """One engine process; `url` is None while it does not answer. `starts` counts how often it came up."""

    def __init__(self, config: Config, base: Path, folder: Path, name: str = "engine") -> None:
        self._port_file = folder / "port"
        self._url: str | None = None  # once it answered there; from then on the file may go
        command = [
            *local_engine_command(
                base,
                threads=config.engine.threads,
                max_adapters=config.engine.max_adapters,
                max_context=config.model.max_context,
                max_rank=max(config.model.lora.rank, 64),
            ),
            *("--port-file", str(self._port_file), "--parent-pid", str(os.getpid())),
        ]
        spec = ServiceSpec(
            name=name,
            command=command,
            ready=self._answers,
            log_path=folder / "log",
            start_timeout_s=config.engine.start_timeout,
            before_start=self._forget_port,
        )
        self.service = Service(spec)

    @property
    def url(self) -> str | None:
        """Where it answers, while it does."""
        return self._url if self.service.state == "ready" else None

    @property
    def starts(self) -> int:
        """Rises with every restart: what was loaded before is gone."""
        return self.service.restarts

    def tick(self, now_s: float) -> None:
        self.service.tick(now_s)

    def stop(self) -> None:
        self.service.stop()

    def _forget_port(self) -> None:
        self._url = None
        self._port_file.unlink(missing_ok=True)

    def _written(self) -> str | None:
        try:
            return f"http://127.0.0.1:{int(self._port_file.read_text())}"
        except (OSError, ValueError):
            return None

    def _answers(self, timeout_s: float) -> bool:
        known = self._url
        url = known or self._written()
        if url is None:
            return False
        try:
            with EngineClient(url, timeout_s) as engine:
                engine.health()
        except EngineError:
            return False
        if known is None:
            self._url = url
        return True
