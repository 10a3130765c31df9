"""Routes, as `GET /v1/routes` tells them to gateways: which engine and which of its models answer for a task."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class TaskRoute(BaseModel):
    """Who answers for one task: `engine_model` for its champion; `versions` maps what can be pinned, such as erd@v2,
    to the engine's names."""

    model_config = ConfigDict(frozen=True)
    champion: str
    engine_model: str
    engine_url: str
    versions: dict[str, str] = {}


class Routes(BaseModel):
    """The body of `GET /v1/routes`. A task that nothing serves is left out."""

    model_config = ConfigDict(frozen=True)
    tasks: dict[str, TaskRoute] = {}
