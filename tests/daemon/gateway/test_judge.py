"""The judge of the gate speaks to the gateway as to any other OpenAI-compatible API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import Request
from fastapi.responses import JSONResponse

from learners.pairwise.judge import Duel, Judge, JudgeSettings, JudgeUnusable
from tests.daemon.gateway.servers import FakeDaemon, FakeEngine, gateway_at, serve

DUELS = [Duel("Draw a shop.", "erDiagram", "sorry"), Duel("Draw a shop.", "sorry", "erDiagram")]


class JudgingEngine(FakeEngine):
    """Prefers whichever answer is a diagram."""

    async def chat(self, request: Request) -> JSONResponse:
        body = await request.json()
        letter = "A" if "[Answer A]\nerDiagram" in body["messages"][-1]["content"] else "B"
        choice = {"index": 0, "message": {"role": "assistant", "content": letter}, "finish_reason": "stop"}
        return JSONResponse({"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})


@pytest.fixture
def judging_gateway() -> Iterator[str]:
    with serve(JudgingEngine().app) as engine_url:
        daemon = FakeDaemon()
        daemon.route_to(engine_url)
        with serve(daemon.app) as api_url, gateway_at(api_url) as url:
            yield url


def judge_at(url: str, model: str = "erd") -> Judge:
    return Judge(JudgeSettings(url=f"{url}/v1", model=model, timeout=30))


def test_a_task_behind_the_gateway_can_be_the_judge(judging_gateway: str) -> None:
    assert judge_at(judging_gateway).compare(DUELS).preferences == (1.0, 0.0)


def test_a_model_that_the_gateway_does_not_know_is_said(judging_gateway: str) -> None:
    with pytest.raises(JudgeUnusable, match=r"answers 404 for model 'nobody'; see gate\.judge\.url"):
        judge_at(judging_gateway, "nobody").compare(DUELS)


def test_an_engine_that_only_chats_is_refused_as_a_judge(gateway_url: str) -> None:
    with pytest.raises(JudgeUnusable, match="none of A, B and C to 2 of 2 questions"):
        judge_at(gateway_url).compare(DUELS)
