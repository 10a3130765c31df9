"""Scores an answer by asking a service of your own over HTTP.

For each answer it sends `POST url` with the JSON {"prompt": "...", "answer": "..."} and reads

    {"score": 0.8, "passed": false, "checks": {"tone": true, "facts": false}}

`score` in [0, 1] is all that must be there. `passed` is else whether the score is 1, `checks` else the one check
`passed`; `parts` may give each check as a share in [0, 1], else a check that holds is 1 and one that does not 0. The
same answer should always get the same reply, and the names of checks should not change: the gate compares two adapters
by them. They are shown in terminals and kept: at most 256 checks, each name of at most 100 characters, all of which can
be printed.

It never waits for ever: a request, from finding the address to the last byte of the reply, has `timeout`, and is made
at most `attempts` times, with a pause between (`learners.over_http`). No answer, 429 and 5xx are tried again,
anything else that is no such reply is not. Then it raises ServiceUnusable, and what asked for the score fails as a
whole: a missing score is not a score of 0, which would judge an adapter by the state of the network. Answers and
prompts over 200,000 characters score 0 without being sent. Users' prompts and the answers to them are sent there;
nothing of them or of what it replies is logged.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from consumers.cleaning import check_name
from consumers.errors import Unreadable
from learners.addresses import check_address
from learners.over_http import NoReply, ReplyTooLong, post, request
from storage.records.settings import DurationS, setting
from storage.records.settings import Settings as BaseSettings

from . import Validated, ValidatorUnavailable

ASKS_A_SERVICE: Final = True
MAX_CHARS: Final = 200_000
MAX_CHECKS: Final = 256
MAX_NAME_CHARS: Final = 100
OK: Final = 200


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
        10.0, doc="How long one request may take, from connecting to the whole reply.", gt=0, scores=False
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
    checks: dict[str, bool] | None = Field(None, max_length=MAX_CHECKS)
    parts: dict[str, float] | None = Field(None, max_length=MAX_CHECKS)

    @field_validator("checks")
    @classmethod
    def _named(cls, checks: dict[str, bool] | None) -> dict[str, bool] | None:
        for name in checks or ():
            try:
                check_name(name, "the name of one", MAX_NAME_CHARS)
            except Unreadable as fault:
                raise ValueError(str(fault)) from None
        return checks


def open(settings: Settings) -> HttpService:
    """The validator; the service is not asked yet. Raises ServiceUnusable where the token cannot be read."""
    return HttpService(settings)


class HttpService:
    """The validator. Threads may share it; each request has a connection of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._headers = {"content-type": "application/json"}
        if settings.token_file is not None:
            self._headers["authorization"] = f"Bearer {_token(settings)}"

    def validate(self, prompt: str, answer: str) -> Validated:
        """Let the service judge. Raises ServiceUnusable alone, after `attempts` times `timeout` and pauses at most.

        A pause is at most `timeout` where the service asks for one, else 5 s.
        """
        if len(answer) > MAX_CHARS or len(prompt) > MAX_CHARS:
            return Validated(0.0, False, {"passed": False}, {"passed": 0.0})
        # json writes half a surrogate pair as an escape, which UTF-8 could not carry.
        body = json.dumps({"prompt": prompt, "answer": answer}).encode()
        return _validated(self._settings.url, self._ask(body))

    def _ask(self, body: bytes) -> bytes:
        url, attempts = self._settings.url, self._settings.attempts
        try:
            reply = post(url, body, self._headers, timeout_s=self._settings.timeout, attempts=attempts)
        except NoReply as why:
            raise ServiceUnusable(url, f"does not answer ({why}, {attempts} attempts)") from None
        except ReplyTooLong as error:
            raise ServiceUnusable(url, str(error)) from None
        if reply.status != OK:
            raise ServiceUnusable(url, f"answers with status {reply.status}")
        return reply.body

    def probe(self, timeout_s: float) -> None:
        """Whether anything answers there; nothing is sent to be scored. Raises ServiceUnusable."""
        try:
            request("GET", self._settings.url, timeout_s=timeout_s)
        except NoReply as why:
            raise ServiceUnusable(self._settings.url, f"does not answer ({why})") from None
        except ReplyTooLong:
            return


def _token(settings: Settings) -> str:
    assert settings.token_file is not None
    try:
        token = settings.token_file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as problem:
        what = f"cannot be asked: token_file {settings.token_file} cannot be read ({type(problem).__name__})"
        raise ServiceUnusable(settings.url, what) from None
    return token


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
