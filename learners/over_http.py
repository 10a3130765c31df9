"""Asks services that others run, over HTTP: each request has one deadline, and one that is in trouble is asked again.

httpx bounds each step of a request (connecting, one read), so a service that drips its head or its body byte by byte
would hold a caller for as long as it likes. Here one deadline stands over the whole of it: finding the address,
connecting, sending, head and body. asyncio can end a request at any point, so each is run in an event loop of its own,
which leaves nothing to close. The price is a connection a request and 3 ms of CPU: made for a judge or a validator,
not for the engine.

Limits: finding an address cannot be ended, only left alone; its thread ends with the resolver's own limit. A reply that
is packed, though that was not asked for, is not unpacked. Not to be called in a thread that runs an event loop.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from time import sleep
from typing import Final

import httpx

MAX_REPLY_BYTES: Final = 1_000_000
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S: Final = 5.0  # of our own accord
TOO_MANY_REQUESTS: Final = 429
SERVER_ERROR: Final = 500


class NoReply(Exception):
    """Nobody answered, or not in time; its text says which, and names no address."""


class ReplyTooLong(Exception):
    """The body has more than `MAX_REPLY_BYTES`; the rest was not read."""

    def __str__(self) -> str:
        return f"replies with more than {MAX_REPLY_BYTES} bytes"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service said. `retry_after` is that header as it came."""

    status: int
    body: bytes
    retry_after: str = ""

    @property
    def in_trouble(self) -> bool:
        """Whether asking again later may help: 429 and 5xx."""
        return self.status == TOO_MANY_REQUESTS or self.status >= SERVER_ERROR


def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float, attempts: int) -> Reply:
    """Ask until somebody answers who is not in trouble; the last attempt's reply is given back as it is.

    Each attempt ends within `timeout_s`. Between two is a pause: what `Retry-After` asks for, but no longer than
    `timeout_s`; else 0.2 s and then twice the last, up to 5 s. Raises NoReply and ReplyTooLong.
    """
    for attempt in range(1, attempts):
        asked_for_s = 0.0
        try:
            reply = request("POST", url, body, headers, timeout_s=timeout_s)
        except NoReply:
            pass
        else:
            if not reply.in_trouble:
                return reply
            asked_for_s = min(retry_after_s(reply.retry_after, datetime.now(UTC)), timeout_s)
        sleep(max(asked_for_s, min(FIRST_PAUSE_S * 2 ** (attempt - 1), LONGEST_PAUSE_S)))
    return request("POST", url, body, headers, timeout_s=timeout_s)


def request(
    method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, timeout_s: float
) -> Reply:
    """One request and its whole reply within `timeout_s`. Redirects are not followed. Raises NoReply, ReplyTooLong."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(_within(timeout_s, method, url, body, headers or {}))
    except TimeoutError:
        raise NoReply("too slow") from None
    except (httpx.HTTPError, UnicodeError) as error:  # UnicodeError: a host that is no name
        raise NoReply(type(error).__name__) from None
    finally:
        loop.close()  # does not wait for an address that is still looked for, as asyncio.run would


def retry_after_s(said: str, now: datetime) -> float:
    """Seconds that a `Retry-After` asks for, in seconds or as a date (RFC 9110, 10.2.3); 0 where it says nothing."""
    if said.isdecimal():
        return float(said)
    try:
        until = parsedate_to_datetime(said)
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):  # without a zone it is a TypeError; so far off, an OverflowError
        return 0.0


async def _within(timeout_s: float, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
    verify = _certificates() if url.startswith("https") else False
    async with asyncio.timeout(timeout_s), httpx.AsyncClient(timeout=None, trust_env=False, verify=verify) as http:
        plain = {**headers, "accept-encoding": "identity"}
        async with http.stream(method, url, content=body, headers=plain) as answer:
            read = bytearray()
            async for part in answer.aiter_raw():  # as it came: a packed reply could unpack to any size
                read += part
                if len(read) > MAX_REPLY_BYTES:
                    raise ReplyTooLong
            return Reply(answer.status_code, bytes(read), answer.headers.get("retry-after", "").strip())


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: it takes longer than a request."""
    return httpx.create_ssl_context(trust_env=False)
