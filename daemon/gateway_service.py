"""The gateway as a supervised service: its command and how to tell that it answers."""

from __future__ import annotations

import os
from pathlib import Path

import httpx

from daemon.config import Config
from daemon.supervisor import Service, ServiceSpec, python_module


def gateway_service(config: Config) -> Service:
    """A gateway in front of this daemon's engine."""
    gateway = config.gateway
    address = f"http://{gateway.host}:{gateway.port}"
    command = python_module(
        "daemon.gateway",
        *("--api-url", f"http://{config.api.host}:{config.api.port}"),
        *("--settings", gateway.model_dump_json()),
        *("--parent-pid", str(os.getpid())),
    )
    return Service(
        ServiceSpec(
            name="gateway",
            command=command,
            ready=lambda timeout_s: _answers(f"{address}/healthz", timeout_s),
            log_path=Path(config.storage.artifacts) / "gateway" / "log",
        )
    )


def _answers(url: str, timeout_s: float) -> bool:
    try:
        return httpx.get(url, timeout=timeout_s, trust_env=False).is_success
    except httpx.HTTPError:
        return False
