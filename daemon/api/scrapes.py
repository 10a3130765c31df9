"""The page of metrics, made once at a time however many ask for it.

Prometheus asks again when an answer takes longer than its interval. Each request would hold one of the few threads that
all other routes need, and on a slow machine those waiting for the page would keep events out. So who asks while a page
is being made gets that page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from anyio import to_thread


class Scrapes:
    """Used from the server's event loop alone."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._making: asyncio.Task[bytes] | None = None

    async def page(self) -> bytes:
        """Raises what making it raised, for everybody who waited for that page."""
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(to_thread.run_sync(self._make))
        return await asyncio.shield(self._making)  # one who gives up must not end it for the others
