"""Options that several commands share, and how a command reaches a daemon or, for reads, the store behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from daemon.actions.context import Context
from daemon.actions.local import local_context
from daemon.config import layers_of, load
from daemon.errors import ConfigError, DaemonError, Denied, NotFound, TooLarge, Unreachable, UsageError
from daemon.settings import ApiSettings

DEFAULT_URL = "http://127.0.0.1:8712"
TIMEOUT_S = 10.0
MOST_COLUMNS = 1000

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.", envvar="ADAPTD_CONFIG")]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="The daemon's address; left out: that of the configuration.", envvar="ADAPTD_URL"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one setting, e.g. batching.min=30.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The picture's file, .png or .svg; left out: named after what it shows."),
]
DEFAULT_CONFIG = Path("adaptd.yaml")
REFUSALS: dict[int, type[DaemonError]] = {
    400: UsageError,
    403: Denied,
    404: NotFound,
    413: TooLarge,
    422: UsageError,
    503: Unreachable,
}

out = Console(highlight=False, markup=False)  # what is printed may hold brackets of its own
notes = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def ask(
    config: Path, url: str | None, method: str, path: str, otherwise: Callable[[Context], Any], *, writing: bool = False
) -> Any:
    """The daemon's answer as plain JSON; where none runs, the action itself on the store, saying so.

    With an explicit `url` there is no fallback. Raises Unreachable, Denied, UsageError with the daemon's own words.
    """
    try:
        return request(url or address(config), method, path)
    except Unreachable as error:
        if url is not None or not config.exists():
            raise
        notes.print(f"{error} {'Writing to' if writing else 'Reading'} the store of {config} instead.", style="dim")
    with local_context(load(config), writing=writing) as context:
        return plain(otherwise(context))


def address(config: Path) -> str:
    """Where the daemon of that file answers. A file that was broken while it runs still tells its address."""
    if not config.exists():
        return DEFAULT_URL
    api = _api_of(config)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(api.host, api.host)  # listened on everywhere; asked here
    return f"http://[{host}]:{api.port}" if ":" in host else f"http://{host}:{api.port}"


def _api_of(config: Path) -> ApiSettings:
    """Raises ConfigError where not even this section can be read."""
    try:
        return load(config).api
    except ConfigError as error:
        try:
            return ApiSettings.model_validate(layers_of(config).raw.get("api") or {})
        except (ConfigError, ValidationError):
            raise error from None


def request(url: str, method: str, path: str) -> Any:
    """What a daemon answers. Raises Unreachable, Denied, UsageError with the daemon's own words."""
    try:
        answer = httpx.request(method, url.rstrip("/") + path, timeout=TIMEOUT_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(f"no daemon answers at {url} ({type(error).__name__}); is `adaptd run` running?") from None
    try:
        found = answer.json()
        if answer.is_success:
            return found
        words = str(found["error"])
    except (ValueError, KeyError, TypeError):
        raise Unreachable(f"what answers at {url} is not adaptd; name the daemon's address with --url") from None
    raise REFUSALS.get(answer.status_code, DaemonError)(words)


def plain(found: Any) -> Any:
    """Models as plain JSON values."""
    if isinstance(found, BaseModel):
        return found.model_dump(mode="json")
    return [plain(item) for item in found] if isinstance(found, list) else found


def print_json(found: Any) -> None:
    """Uncoloured and unwrapped, for other programs."""
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))


def print_whole(table: Table) -> None:
    """As wide as it is: what may be copied, such as an id, is never cut to the terminal's width."""
    wide = Console(width=MOST_COLUMNS)
    width = Measurement.get(wide, wide.options, table).maximum
    Console(width=max(width, out.width), highlight=False, markup=False).print(table)


def points(score: float | None) -> str:
    """A score of [0, 1] in points of 100."""
    return "-" if score is None else f"{100 * score:.1f}"
