"""The request to the engine has one deadline over all of it."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from daemon.gateway.routes import Route
from daemon.gateway.upstream import ask_engine
from learners.engines.wire import BadRequest, ChatRequest, Sampling
from storage.records import Message
from tests.learners.slow_service import Manner, slow_service

ASKED = ChatRequest("erd", (Message("user", "hello"),), Sampling())


@pytest.mark.parametrize("manner", ["silent", "drips its head", "drips its body"])
def test_an_engine_that_dawdles_is_a_504_in_time(manner: Manner) -> None:
    async def ask(url: str) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            await ask_engine(http, Route("erd", "erd@v1", url, "erd-v1-aa"), ASKED, 0.3)

    began = time.monotonic()
    with slow_service(manner) as url, pytest.raises(BadRequest, match=r"did not answer within 0\.3 s") as refused:
        asyncio.run(ask(url))
    assert refused.value.status == 504
    assert time.monotonic() - began < 15
