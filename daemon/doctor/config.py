"""adaptd.yaml: every fault a line."""

from __future__ import annotations

from daemon.config import Config
from daemon.doctor.checks import Check, fail, ok, warn
from daemon.errors import ConfigError
from daemon.reload import ConfigSource


def check_config(source: ConfigSource) -> tuple[Config | None, list[Check]]:
    """The config where it can be read, and how it is."""
    try:
        config = source.load()
    except ConfigError as error:
        return None, [fail("config", line) for line in str(error).splitlines()]
    if not config.tasks:
        return config, [warn("config", f"{source.path} names no task, so nothing is learned; add one under `tasks:`")]
    return config, [ok("config", f"{source.path} is in order")]
