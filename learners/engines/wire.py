"""The OpenAI wire as far as adaptd speaks it: requests read into frozen records, answers and errors written out.

Why apart: the local engine and the gateway read the same requests, and must refuse the same things in the same words.
Not in this version: streaming, several choices, tools, log-probabilities in the answer, penalties, stop strings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from storage.records import AdaptdError, Message

M = TypeVar("M", bound=BaseModel)

NEUTRAL: dict[str, tuple[Any, ...]] = {  # values that ask for nothing; any other value is refused, never ignored
    "stream": (None, False),
    "n": (None, 1),
    "best_of": (None, 1),
    "stop": (None, [], ""),
    "tools": (None, []),
    "functions": (None, []),
    "response_format": (None, {"type": "text"}),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "logit_bias": (None, {}),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "echo": (None, False),
    "suffix": (None, ""),
}


class BadRequest(AdaptdError):
    """A request that cannot be served as it stands; `status` is the HTTP status to answer with.

    To do: correct the request after the text.

    Shows as: the HTTP status that it carries (400, 404, 409, 413, 503, 504), from engine and gateway.
    """

    def __init__(self, what: str, status: int = 400, param: str | None = None) -> None:
        super().__init__(what, status, param)
        self.what = what
        self.status = status
        self.param = param

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to answer: `max_tokens` None means as many as the context leaves, within the engine's own bound.

    `temperature` 0 is greedy and needs no seed; above it, the same seed gives the same answer whatever else is asked
    at the same time (numerics of the batch aside).
    """

    max_tokens: int | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


class _WireMessage(BaseModel):
    model_config = ConfigDict(extra="ignore")
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] = Field(default_factory=list)
    tool_call_id: str | None = None

    @field_validator("tool_calls", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return value or []


class _Options(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)
    model: str = Field(min_length=1, max_length=512)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    seed: int | None = None
    user: str | None = Field(None, max_length=256)


class _Chat(_Options):
    messages: list[_WireMessage] = Field(min_length=1, max_length=256, strict=False)


class _Completion(_Options):
    prompt: str | list[str]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request for one answer. A legacy completion is a chat of one user message. `user` is the caller's pseudonym."""

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling
    user: str | None = None


def read_chat(body: Any) -> ChatRequest:
    """The body of `/v1/chat/completions`. Raises BadRequest, which names fields and never repeats their content."""
    chat = _read(_Chat, body)
    return ChatRequest(chat.model, read_messages(chat.messages), _sampling(chat), chat.user)


def read_completion(body: Any) -> ChatRequest:
    """The body of the legacy `/v1/completions`; its one prompt becomes one user message. Raises BadRequest."""
    asked = _read(_Completion, body)
    prompts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt
    if len(prompts) != 1:
        raise BadRequest(f"{len(prompts)} prompts in one request; send one request a prompt", param="prompt")
    return ChatRequest(asked.model, (Message("user", prompts[0]),), _sampling(asked), asked.user)


def read_messages(messages: list[_WireMessage]) -> tuple[Message, ...]:
    """Wire messages as canonical ones: text parts joined, `developer` is `system`. Raises BadRequest on other parts."""
    return tuple(_message(m, at) for at, m in enumerate(messages))


def parse_messages(plain: Any) -> tuple[Message, ...]:
    """A JSON list of messages as canonical ones. Raises BadRequest."""
    return read_messages(_read(_MessageList, {"messages": plain}).messages)


class _MessageList(BaseModel):
    messages: list[_WireMessage] = Field(min_length=1, max_length=256)


def error_body(what: str, status: int, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """An error in the shape that OpenAI clients read."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": what, "type": kind, "param": param, "code": code or status}}


def _read(kind: type[M], body: Any) -> M:
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    for name, neutral in NEUTRAL.items():
        if body.get(name) not in neutral:
            raise BadRequest(f"{name!r} is not in this version of adaptd; leave it out", param=name)
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{where or 'body'}: {first['msg']}", param=where or None) from None


def _sampling(asked: _Options) -> Sampling:
    """OpenAI's defaults: temperature 1 and top_p 1 where the caller says nothing."""
    return Sampling(
        max_tokens=asked.max_completion_tokens or asked.max_tokens,
        temperature=1.0 if asked.temperature is None else asked.temperature,
        top_p=1.0 if asked.top_p is None else asked.top_p,
        seed=asked.seed,
    )


def _message(wire: _WireMessage, at: int) -> Message:
    role = "system" if wire.role == "developer" else wire.role
    return Message(role, _text(wire.content, at), wire.name, tuple(wire.tool_calls), wire.tool_call_id)


def _text(content: str | list[dict[str, Any]] | None, at: int) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if any(part.get("type") != "text" or not isinstance(part.get("text"), str) for part in content):
        raise BadRequest(f"messages.{at}.content: only text parts are in this version of adaptd", param="messages")
    return "".join(part["text"] for part in content)
