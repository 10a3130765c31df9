"""Addresses of services that an operator names: checked when the settings are read, before anybody asks there."""

from __future__ import annotations

import httpx


def check_address(url: str, such_as: str) -> httpx.URL:
    """The address in its parts. Raises ValueError where nothing could answer there."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"must be an address such as {such_as}")
    if parsed.port is not None and not 0 < parsed.port < 2**16:
        raise ValueError(f"port {parsed.port} is none: ports are 1 to 65535")
    return parsed
