"""`python -m daemon.gateway`: serves until told to stop, or until its parent is gone.

--api-url URL       where the daemon's API is
--settings JSON     the `gateway:` section, as JSON; `--host` and `--port` override it
--port-file FILE    where to write the port when ready
--parent-pid PID    end when this process is gone
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from pydantic import ValidationError

from daemon.gateway.app import Gateway, make_app
from daemon.gateway.settings import GatewaySettings
from learners.engines.parent import watch_parent
from learners.engines.ports import PortTaken, bind_port, write_port


@dataclass(frozen=True, slots=True)
class Options:
    """How to run one gateway."""

    api_url: str
    settings: GatewaySettings
    port_file: Path | None
    parent_pid: int | None


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The flags; argparse ends the process (code 2) when they make no sense."""
    parser = argparse.ArgumentParser("python -m daemon.gateway", description="adaptd's OpenAI-compatible gateway")
    parser.add_argument("--api-url", required=True, help="where the daemon's API is")
    parser.add_argument("--settings", default="{}", help="the gateway section of the config, as JSON")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for any")
    parser.add_argument("--port-file", type=Path, help="where to write the port when ready")
    parser.add_argument("--parent-pid", type=int, help="end when this process is gone")
    found = parser.parse_args(arguments)
    try:
        settings = GatewaySettings.model_validate_json(found.settings)
    except ValidationError as error:
        parser.error(f"--settings: {error.errors(include_url=False, include_input=False)[0]['msg']}")
    over = {name: getattr(found, name) for name in ("host", "port") if getattr(found, name) is not None}
    return Options(found.api_url.rstrip("/"), settings.model_copy(update=over), found.port_file, found.parent_pid)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    if options.parent_pid is not None:
        watch_parent(options.parent_pid)
    try:
        listener = bind_port(options.settings.host, options.settings.port)
    except PortTaken as error:
        sys.exit(str(error))
    listener.listen(512)  # before the port is told, or the first caller could be refused

    def tell_port() -> None:
        if options.port_file is not None:
            write_port(options.port_file, listener.getsockname()[1])

    app = make_app(Gateway(options.api_url, options.settings), tell_port)
    config = uvicorn.Config(
        app, access_log=False, log_level="warning", timeout_keep_alive=75, timeout_graceful_shutdown=5
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
