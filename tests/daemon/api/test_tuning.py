"""Searches over real HTTP, asked of a daemon that does not learn: what is known is told, the rest refused in words."""

from __future__ import annotations

import httpx


def test_how_a_task_is_tuned_is_told_without_a_search(client: httpx.Client) -> None:
    found = client.get("/v1/tuning", params={"task": "erd"}).json()
    assert (found["on"], found["study"], found["tunings"]) == (False, None, [])
    assert found["settings"] == {"learning_rate": 2e-4, "steps": "auto", "replay_share": 1.0}
    assert (found["origin"], found["now"]) == ("adaptd.yaml", "this daemon does not learn")
    assert found["journal"].endswith("/studies/erd.journal")


def test_a_task_of_many_parts_has_one_file(client: httpx.Client) -> None:
    found = client.get("/v1/tuning", params={"task": "../er/d.x"}).json()
    assert found["journal"].endswith("/studies/%2E%2E%2Fer%2Fd%2Ex.journal")


def test_what_cannot_be_done_is_refused_with_what_to_do(client: httpx.Client) -> None:
    asked = client.post("/v1/tuning", params={"task": "erd", "trials": 10})
    assert asked.status_code == 403
    assert "`learn` among its roles" in asked.json()["error"]
    assert client.post("/v1/tuning", params={"task": "erd", "trials": 0}).status_code == 422
    for deed, words in (("reset", "the configured ones are in force"), ("cancel", "has no open study")):
        answer = client.post(f"/v1/tuning/{deed}", params={"task": "erd"})
        assert answer.status_code == 404
        assert words in answer.json()["error"]
