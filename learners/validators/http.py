"""Scores an answer by asking a service of your own over HTTP.

For each answer it sends `POST url` with the JSON {"prompt": "...", "answer": "..."} and reads

    {"score": 0.8, "passed": false, "checks": {"tone": true, "facts": false}}

`score` in [0, 1] is all that must be there. `passed` is else whether the score is 1, `checks` else the one check
`passed`; `parts` may give each check as a share in [0, 1], else a check that holds is 1 and one that does not 0. The
same answer should always get the same reply, and the names of checks should not change: the gate compares two adapters
by them.

It never waits for ever: a request has `timeout` for each of connecting, being taken, the first of its reply and the
reply as a whole, and is made at most `attempts` times, with a pause between. No answer, 429 and 5xx are tried again,
anything else that is no such reply is not. Then it raises ServiceUnusable, and what asked for the score fails as a
whole: a missing score is not a score of 0, which would judge an adapter by the state of the network. Answers and
prompts over 200,000 characters score 0 without being sent. Users' prompts and the answers to them are sent there;
nothing of them or of what it replies is logged. Limit: a service that drips the head of its reply is bounded by the
job's time limit alone.
"""

from __future__ import annotations

import json
import math
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from learners.addresses import check_address
from storage.records.settings import DurationS, setting
from storage.records.settings import Settings as BaseSettings

from . import Validated, ValidatorUnavailable

MAX_CHARS: Final = 200_000
MAX_REPLY_BYTES: Final = 1_000_000
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0


class ServiceUnusable(ValidatorUnavailable):
    """The service of the validator `http` gave no score that could be used. Its text names its address and what came.

    To do: start the service, or correct `url`, `token_file` or what it replies; the judgement is made again.

    Shows as: the reason of a failed attempt, in the update's jobs.
    """

    def __init__(self, url: str, what: str) -> None:
        super().__init__(url, what)
        self.url, self.what = url, what

    def __str__(self) -> str:
        return f"validator http: {self.url} {self.what}; nothing was scored. Is the service up, and does it reply so?"


class Settings(BaseSettings):
    """Where the service is, and how long it may take."""

    url: str = setting(doc="The service's address; each answer is posted to it.")
    timeout: DurationS = setting(
        10.0, doc="How long one step of a request may take, such as connecting or the reply.", gt=0, scores=False
    )
    attempts: int = setting(
        3, doc="How often a request is made before it is given up.", unit="attempts", ge=1, le=10, scores=False
    )
    token_file: Path | None = setting(None, doc="A file with a token, sent as `Authorization: Bearer`.", scores=False)

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if check_address(url, "http://localhost:9000/score").userinfo:
            raise ValueError("must hold no name or password, since errors show it; use token_file")
        return url

    @field_validator("token_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        # A job's worker runs in another directory than the daemon that read the config.
        return path and path.expanduser().absolute()


class _Reply(BaseModel):
    """What the service says; more keys than these are its own business."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    score: float = Field(ge=0, le=1)
    passed: bool | None = None
    checks: dict[str, bool] | None = None
    parts: dict[str, float] | None = None


def open(settings: Settings) -> HttpService:
    """The validator; the service is not asked yet. Raises ServiceUnusable where the token cannot be read."""
    return HttpService(settings)


class HttpService:
    """The validator. Threads may share it; each request has a connection of its own from one pool."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        headers = {"content-type": "application/json"}
        if settings.token_file is not None:
            headers["authorization"] = f"Bearer {_token(settings)}"
        over_tls = settings.url.startswith("https")
        self._http = httpx.Client(headers=headers, trust_env=False, verify=over_tls)
        weakref.finalize(self, self._http.close)

    def validate(self, prompt: str, answer: str) -> Validated:
        """Let the service judge. Raises ServiceUnusable alone, after `attempts` times `timeout` and pauses at most."""
        if len(answer) > MAX_CHARS or len(prompt) > MAX_CHARS:
            return Validated(0.0, False, {"passed": False}, {"passed": 0.0})
        # json writes half a surrogate pair as an escape, which UTF-8 could not carry.
        body = json.dumps({"prompt": prompt, "answer": answer}).encode()
        return _validated(self._settings.url, self._ask(body))

    def _ask(self, body: bytes) -> bytes:
        pause_s, what = FIRST_PAUSE_S, ""
        for attempt in range(self._settings.attempts):
            if attempt:
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            try:
                status, reply = self._once(body)
            except (httpx.HTTPError, TimeoutError) as error:
                what = f"does not answer ({_kind(error)}, {self._settings.attempts} attempts)"
                continue
            if status == httpx.codes.OK:
                return reply
            what = f"answers with status {status}"
            if status != httpx.codes.TOO_MANY_REQUESTS and status < httpx.codes.INTERNAL_SERVER_ERROR:
                break
        raise ServiceUnusable(self._settings.url, what)

    def probe(self, timeout_s: float) -> None:
        """Whether anything answers there; nothing is sent to be scored. Raises ServiceUnusable."""
        try:
            self._http.get(self._settings.url, timeout=timeout_s)
        except httpx.HTTPError as error:
            raise ServiceUnusable(self._settings.url, f"does not answer ({_kind(error)})") from None

    def _once(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of one reply. Raises TimeoutError for one that drips, and httpx's errors."""
        until_s = time.monotonic() + self._settings.timeout
        reply = bytearray()
        with self._http.stream("POST", self._settings.url, content=body, timeout=self._settings.timeout) as answer:
            for part in answer.iter_raw():
                reply += part
                if time.monotonic() > until_s:
                    raise TimeoutError
                if len(reply) > MAX_REPLY_BYTES:
                    raise ServiceUnusable(self._settings.url, f"replies with more than {MAX_REPLY_BYTES} bytes")
            return answer.status_code, bytes(reply)


def _token(settings: Settings) -> str:
    assert settings.token_file is not None
    try:
        token = settings.token_file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as problem:
        what = f"cannot be asked: token_file {settings.token_file} cannot be read ({type(problem).__name__})"
        raise ServiceUnusable(settings.url, what) from None
    return token


def _kind(error: Exception) -> str:
    return "too slow" if isinstance(error, httpx.TimeoutException | TimeoutError) else type(error).__name__


def _validated(url: str, reply: bytes) -> Validated:
    try:
        said = _Reply.model_validate_json(reply)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(key) for key in first["loc"][:1]) or "the whole"
        raise ServiceUnusable(url, f"replies with something else than a score ({where}: {first['msg']})") from None
    passed = said.score == 1.0 if said.passed is None else said.passed
    checks: Mapping[str, bool] = said.checks or {"passed": passed}
    parts = _parts(url, checks, said.parts)
    return Validated(said.score, passed, checks, parts)


def _parts(url: str, checks: Mapping[str, bool], said: Mapping[str, Any] | None) -> Mapping[str, float]:
    if said is None:
        return {name: float(holds) for name, holds in checks.items()}
    if said.keys() != checks.keys() or not all(math.isfinite(part) and 0 <= part <= 1 for part in said.values()):
        raise ServiceUnusable(url, "replies with `parts` that are not one share in [0, 1] for each of its checks")
    return said
