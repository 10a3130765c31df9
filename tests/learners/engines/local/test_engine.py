"""The local engine as a process, asked through its client: what vLLM's door does, ours does too."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from learners.engines.client import EngineClient
from learners.engines.errors import EngineRefused, EngineUnreachable
from learners.engines.process import PortProcess, local_engine_command
from learners.engines.wire import Sampling
from learners.pairwise.judge import Duel, Judge, JudgeSettings, JudgeUnusable
from storage.records import Message
from tests.learners.engines.local.asking import PROMPTS, SHORT
from tests.learners.engines.processes import is_running
from tests.learners.engines.tiny import PEFT_READS_A_DEPRECATED_NAME

pytestmark = [pytest.mark.train, pytest.mark.slow]

Items = list[tuple[tuple[Message, ...], str]]


def refusal(client: EngineClient, path: str, body: object) -> tuple[int, str]:
    answer = httpx.post(f"{client.url}{path}", json=body, timeout=60)
    return answer.status_code, answer.json()["error"]["message"]


def chat(model: str = "base", **more: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4, **more}


def test_answers_asked_together_equal_answers_asked_alone(client: EngineClient, adapters: dict[str, Path]) -> None:
    client.load("one", adapters["one"])
    for model in ("base", "one"):
        together = client.generate(model, PROMPTS * 4, SHORT)
        alone = [client.generate(model, [prompt], SHORT)[0] for prompt in PROMPTS]
        assert together == alone * 4


def test_a_too_long_prompt_is_refused_and_does_not_spoil_its_batch(client: EngineClient) -> None:
    with pytest.raises(EngineRefused, match="tokens and the context 256; send a shorter one") as refused:
        client.generate("base", [(Message("user", "y" * 300),)], SHORT)
    assert refused.value.status == 400
    bodies = [chat(messages=[{"role": "user", "content": text}]) for text in ("hi", "y" * 300, "ho")]
    with ThreadPoolExecutor(3) as pool:
        codes = list(
            pool.map(lambda b: httpx.post(f"{client.url}/v1/chat/completions", json=b, timeout=60).status_code, bodies)
        )
    assert codes == [200, 400, 200]


def test_a_prompt_beyond_the_context_leaves_the_others_their_answers(client: EngineClient) -> None:
    long = (Message("user", "y" * 300),)
    said = client.generate_what_fits("base", [PROMPTS[0], long, PROMPTS[1]], SHORT)
    assert said == [*client.generate("base", PROMPTS[:1], SHORT), None, *client.generate("base", PROMPTS[1:2], SHORT)]
    with pytest.raises(EngineRefused, match="tokens and the context"):
        client.generate_what_fits("base", [long, long], SHORT)


def test_an_answer_ends_by_stop_or_by_length(client: EngineClient) -> None:
    answers = client.generate("base", PROMPTS, Sampling(max_tokens=200))
    ended = next(a for a in answers if a.finish_reason == "stop")
    cut = client.generate("base", PROMPTS, Sampling(max_tokens=ended.tokens - 1))[answers.index(ended)]
    assert (cut.finish_reason, cut.tokens) == ("length", ended.tokens - 1)
    assert ended.text.startswith(cut.text.rstrip("\ufffd"))


def test_an_item_beyond_the_context_is_not_scored_and_does_not_spoil_the_others(client: EngineClient) -> None:
    items = [(PROMPTS[0], "short"), (PROMPTS[1], "long " * 400)]
    short, long = client.score_what_fits("base", items)
    assert short is not None
    assert long is None
    with pytest.raises(EngineRefused, match="1 of 2 items are longer than the context"):
        client.score("base", items)


def test_max_tokens_beyond_the_context_is_cut_to_it(client: EngineClient) -> None:
    answers = client.generate("base", PROMPTS, Sampling(max_tokens=10_000))
    assert all(answer.tokens <= 256 for answer in answers)


def test_a_seed_draws_the_same_answer_whatever_else_is_asked(client: EngineClient) -> None:
    warm = Sampling(max_tokens=16, temperature=1.0, seed=7)
    alone = client.generate("base", PROMPTS[:1], warm)
    assert client.generate("base", PROMPTS, warm)[0] == alone[0]
    assert client.generate("base", PROMPTS[:1], Sampling(16, 1.0, seed=8)) != alone
    assert client.generate("base", PROMPTS[:1], Sampling(16, 0.0)) != alone


def test_a_legacy_completion_is_a_chat_of_one_message(client: EngineClient) -> None:
    answer = httpx.post(
        f"{client.url}/v1/completions",
        json={"model": "base", "prompt": "hi", "max_tokens": 24, "temperature": 0},
        timeout=60,
    ).json()
    assert answer["choices"][0]["text"] == client.generate("base", PROMPTS[:1], SHORT)[0].text


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (chat(stream=True), 400, "'stream' is not in this version"),
        (chat(n=2), 400, "'n' is not in this version"),
        (chat(tools=[{"type": "function"}]), 400, "'tools' is not in this version"),
        (chat(model="nobody"), 404, "'nobody' is not loaded here"),
        (chat(messages=[]), 400, "messages"),
        (chat(temperature=-1), 400, "temperature"),
        (chat(max_tokens=0), 400, "max_tokens"),
        (chat(max_tokens=True), 400, "max_tokens"),
        ([], 400, "must be a JSON object"),
    ],
)
def test_a_request_that_cannot_be_served_says_why(body: object, status: int, reason: str, client: EngineClient) -> None:
    found_status, message = refusal(client, "/v1/chat/completions", body)
    assert found_status == status
    assert reason in message


def test_what_is_no_json_is_refused(client: EngineClient) -> None:
    assert httpx.post(f"{client.url}/v1/score", content=b"\xff{", timeout=60).status_code == 400
    assert httpx.post(f"{client.url}/v1/score", content=b"[" * 100_000, timeout=60).status_code == 400


@pytest.mark.filterwarnings(PEFT_READS_A_DEPRECATED_NAME)
def test_scores_are_those_of_the_plain_model_one_at_a_time(
    client: EngineClient, adapters: dict[str, Path], tiny_base: Path
) -> None:
    client.load("one", adapters["one"])
    items: Items = [(prompt, text) for prompt, text in zip(PROMPTS, ["", "no", "z" * 50, "a cat", "!"], strict=True)]
    for model, folder in (("base", None), ("one", adapters["one"])):
        for found, (nll, tokens, entropy) in zip(
            client.score(model, items), plain(tiny_base, folder, items), strict=True
        ):
            assert found.tokens == tokens
            assert math.isclose(found.nll, nll, rel_tol=1e-4)
            assert found.entropy is not None
            assert math.isclose(found.entropy, entropy, rel_tol=1e-4)


def plain(base: Path, adapter: Path | None, items: Items) -> list[tuple[float, int, float]]:
    """Sum NLL, tokens and mean entropy, computed row by row on an unpadded model with the adapter merged."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(base))
    model = AutoModelForCausalLM.from_pretrained(str(base), dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    found = []
    for (message,), completion in items:
        prompt = tokenizer.encode(f"<user>{message.content}<|end|><assistant>", add_special_tokens=False)
        answer = tokenizer.encode(f"{completion}<|end|>", add_special_tokens=False)
        with torch.no_grad():
            logits = model(torch.tensor([prompt + answer])).logits[0]
        at = range(len(prompt) - 1, len(prompt) + len(answer) - 1)
        log_p = logits[list(at)].log_softmax(-1)
        entropy = -(log_p.exp() * log_p).sum(-1).mean().item()
        found.append((-log_p[range(len(answer)), answer].sum().item(), len(answer), entropy))
    return found


def test_scoring_nothing_is_no_error(client: EngineClient) -> None:
    assert client.score("base", []) == []
    assert client.generate("base", []) == []


def test_no_user_text_is_printed(client: EngineClient, engine: PortProcess) -> None:
    secret = "SECRET 12345"
    client.generate("base", [(Message("user", secret),)], SHORT)
    refusal(client, "/v1/chat/completions", chat(messages=[{"role": secret, "content": secret}]))
    assert "SECRET" not in (Path(engine._directory) / "log").read_text()


def test_a_full_queue_answers_503_and_says_when_to_come_again(tiny_base: Path, tmp_path: Path) -> None:
    command = local_engine_command(tiny_base, threads=1, max_adapters=1)
    process = PortProcess([*command, "--max-waiting", "2", "--max-batch", "1"], tmp_path)
    process.start()
    try:
        url = process.wait_ready(timeout_s=180)
        with ThreadPoolExecutor(16) as pool:
            asked = [
                pool.submit(httpx.post, f"{url}/v1/chat/completions", json=chat(max_tokens=200)) for _ in range(16)
            ]
            answers = [one.result() for one in asked]
        full = [a for a in answers if a.status_code == 503]
        assert full
        assert all(a.headers["retry-after"] == "1" for a in full)
        with EngineClient(url, timeout_s=60) as patient:
            assert len(patient.generate("base", PROMPTS * 2, SHORT)) == 10
    finally:
        process.stop()


def test_the_engine_ends_when_its_parent_does(tiny_base: Path, tmp_path: Path) -> None:
    command = local_engine_command(tiny_base, threads=1, max_adapters=1)
    starter = (
        "import pathlib, sys, time\n"
        "from learners.engines.process import PortProcess\n"
        f"p = PortProcess({command!r}, pathlib.Path({str(tmp_path)!r})); p.start(); p.wait_ready(180)\n"
        "print(p.pid, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        engine_pid = int(parent.stdout.readline() or 0)
        parent.kill()
    assert engine_pid, "the engine did not start"
    until = time.monotonic() + 10
    while is_running(engine_pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(engine_pid)


def test_a_base_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    process = PortProcess(local_engine_command(tmp_path / "absent", threads=1, max_adapters=1), tmp_path / "engine")
    process.start()
    with pytest.raises(EngineUnreachable, match=r"ended with code 1: There is no model folder .*absent"):
        process.wait_ready(timeout_s=180)
    process.stop()


def test_an_absent_engine_is_unreachable() -> None:
    with (
        EngineClient("http://127.0.0.1:1", timeout_s=2) as client,
        pytest.raises(EngineUnreachable, match="cannot be reached"),
    ):
        client.health()


def test_the_judge_of_the_gate_speaks_to_it_and_refuses_a_model_that_cannot_judge(engine: PortProcess) -> None:
    assert engine.url
    settings = JudgeSettings(url=f"{engine.url}/v1", model="base", timeout=60, max_tokens=4)
    with pytest.raises(JudgeUnusable, match=r"answers 4\d\d for model|none of A, B and C"):
        Judge(settings).compare([Duel("p", "one", "two")])
