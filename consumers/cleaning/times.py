"""When it happened: RFC 3339 with a time zone, as UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from consumers.errors import Unreadable

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1970, 2199


def parse_time(text: str, field: str) -> datetime:
    """RFC 3339 section 5.6 as an aware UTC time, cut to microseconds.

    Raises Unreadable: without a time zone a time is a guess, and outside 1970 to 2199 it is a broken clock.
    """
    found = _RFC3339.fullmatch(text)
    if not found:
        raise Unreadable(f"{field}: not an RFC 3339 time", "clean")
    if found[1] is None:
        raise Unreadable(f"{field}: no time zone", "clean")
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable(f"{field}: no such time", "clean") from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise Unreadable(f"{field}: outside the years {_FIRST_YEAR} to {_LAST_YEAR}", "clean")
    return moment
