"""Errors as HTTP answers: one JSON shape, `{"error": "what was wrong and what to do"}`, and the code that fits.

A bug is answered with 500 and logged by its kind and place in the code alone, since its text may quote a user (I8).
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon.errors import AdaptdError, Denied, NotFound, TooLarge, UsageError
from daemon.faults import fault_of

log = structlog.get_logger(__name__)

RETRY_AFTER_S = 1

CODES: tuple[tuple[type[AdaptdError], int, int | None], ...] = (
    (NotFound, 404, None),
    (TooLarge, 413, None),
    (UsageError, 400, None),
    (Denied, 403, None),
    (AdaptdError, 503, RETRY_AFTER_S),  # store, engine or broker: not now
)


def answer_errors(app: FastAPI) -> None:
    """Named errors, requests of the wrong shape, unknown paths and bugs, each with its code."""
    for kind, code, retry_after_s in CODES:
        app.add_exception_handler(kind, _with(code, retry_after_s))
    app.add_exception_handler(RequestValidationError, _misshapen)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, lambda _request, _error: error_answer(500, "a bug in adaptd; see its log"))


def error_answer(code: int, message: str, retry_after_s: int | None = None) -> Response:
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s is not None else None
    return JSONResponse({"error": message}, code, headers)


def _with(code: int, retry_after_s: int | None) -> Callable[[Request, Exception], Response]:
    return lambda _request, error: error_answer(code, str(error), retry_after_s)


def _misshapen(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()]
    return error_answer(422, "; ".join(faults))


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_answer(error.status_code, str(error.detail))


def quiet(app: ASGIApp) -> ASGIApp:
    """The app, with what it raises after its 500 logged without the error's own text."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:
            log.error("bug while answering a request", reason=fault_of(error))

    return guarded
