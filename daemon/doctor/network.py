"""The daemon itself, the ports that it will take, and the brokers that it will read from."""

from __future__ import annotations

from pathlib import Path

import httpx

from consumers.sources import SourceSettings
from consumers.sources.errors import SourceError
from consumers.sources.jsonl import Settings as JsonlSettings
from consumers.sources.kafka import Settings as KafkaSettings
from daemon.api.server import bind
from daemon.config import Config
from daemon.doctor.checks import EXIT_UNREACHABLE, Check, fail, ok, warn
from daemon.errors import PortInUse

BROKER_TIMEOUT_S = 8.0
ASK_TIMEOUT_S = 3.0


def check_network(config: Config) -> list[Check]:
    status = _status(config)
    ports = [] if status is not None else _ports(config)
    return [_daemon(config, status), *ports, *(_source(each) for each in config.sources if each.type != "http")]


def _daemon(config: Config, status: dict[str, object] | None) -> Check:
    at = f"{config.api.host}:{config.api.port}"
    if status is None:
        return ok("daemon", f"none runs at {at}; start it with: adaptd run")
    found = status.get("config")
    last = str(found.get("last_reload", "ok")) if isinstance(found, dict) else "ok"
    if not status.get("ready"):
        missing = status.get("not_ready")
        why = "; ".join(map(str, missing)) if isinstance(missing, list) else "it does not say why"
        return warn("daemon", f"runs at {at} and is not ready: {why}")
    return ok("daemon", f"runs at {at}") if last == "ok" else warn("daemon", f"did not take the last config: {last}")


def _status(config: Config) -> dict[str, object] | None:
    """What a daemon at the configured address says of itself; None where none answers."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.api.host, config.api.host)
    url = f"http://[{host}]:{config.api.port}" if ":" in host else f"http://{host}:{config.api.port}"
    try:
        answer = httpx.get(f"{url}/v1/status", timeout=ASK_TIMEOUT_S, trust_env=False)
        found = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):  # ValueError: no JSON, or a host that is no name
        return None
    return found if isinstance(found, dict) and "roles" in found else None


def _ports(config: Config) -> list[Check]:
    wanted = [("api.port", config.api.host, config.api.port)]
    if config.gateway.enabled:
        wanted.append(("gateway.port", config.gateway.host, config.gateway.port))
    return [_port(key, host, port) for key, host, port in wanted]


def _port(key: str, host: str, port: int) -> Check:
    try:
        bind(host, port, key).close()
    except PortInUse as error:
        return fail("port", str(error))
    return ok("port", f"{host}:{port} ({key}) is free")


def _source(settings: SourceSettings) -> Check:
    name = f"source {settings.name}"
    if isinstance(settings, KafkaSettings):
        return _broker(name, settings)
    if isinstance(settings, JsonlSettings) and not Path(settings.path).exists():
        return warn(name, f"there is no file {settings.path} yet; it is read when it comes")
    return ok(name, "can be read")


def _broker(name: str, settings: KafkaSettings) -> Check:
    from consumers.sources.kafka.probe import why_unreachable  # kafka-python is loaded where it is used

    try:
        why = why_unreachable(settings, BROKER_TIMEOUT_S)
    except SourceError as error:
        return fail(name, str(error))
    servers = ", ".join(settings.bootstrap_servers)
    return fail(name, why, EXIT_UNREACHABLE) if why else ok(name, f"{servers} answers and has the topics")
