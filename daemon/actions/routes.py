"""`GET /v1/routes`: where each task's adapters answer, for the gateway."""

from __future__ import annotations

from pydantic import BaseModel

from daemon.actions.context import Context


class TaskRoute(BaseModel):
    champion: str
    engine_model: str
    engine_url: str
    versions: dict[str, str]


class Routes(BaseModel):
    tasks: dict[str, TaskRoute]


def routes(context: Context) -> Routes:
    """Only what the engine has loaded and probed; a task without a route is not served yet."""
    found = context.live.routes() if context.live else {}
    return Routes(
        tasks={
            task: TaskRoute(
                champion=route.champion,
                engine_model=route.engine_model,
                engine_url=route.engine_url,
                versions=dict(route.versions),
            )
            for task, route in found.items()
        }
    )
