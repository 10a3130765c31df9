"""In an evaluate job: the judge and the win-rate head say which answer is preferred, or why they do not."""

from pathlib import Path
from typing import Any

import pytest

from learners.job import (
    AnswerPair,
    Contender,
    Embeddings,
    EngineAddress,
    EvaluateJob,
    JudgedAnswer,
    Prompt,
    TrainPair,
)
from learners.job_files import write_pairs, write_prompts
from learners.pairwise.judge import JudgeUnreachable
from learners.training.preferring import prefer
from storage.records import Message
from tests.learners.pairwise.judge_server import judging
from tests.learners.pairwise.test_head import pairs

SAID = {"a": ("thanks so well", "nonsense so well"), "b": ("nonsense now", "thanks now"), "c": ("same", "same")}


def answers() -> list[AnswerPair]:
    def judged(text: str) -> JudgedAnswer:
        return JudgedAnswer(text=text, finish_reason="stop", tokens=3)

    return [AnswerPair(id=i, weight=1.0, candidate=judged(one), champion=judged(two)) for i, (one, two) in SAID.items()]


def job(**more: Any) -> EvaluateJob:
    return EvaluateJob(
        task="t",
        update_id=1,
        engine=EngineAddress(url="http://127.0.0.1:9"),
        candidate=Contender(name="t@v1"),
        champion=Contender(name="t@v0"),
        embeddings=Embeddings(model="ngrams"),
        **more,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_prompts(tmp_path, [Prompt(id=name, messages=(Message("user", f"prompt {name}"),)) for name in SAID])
    return tmp_path


def learned_from(folder: Path, count: int) -> None:
    told = pairs(count, kindness=True, length=False)
    write_pairs(folder, [TrainPair(prompt=p.prompt, chosen=p.chosen, rejected=p.rejected) for p in told])


def test_without_judge_and_pairs_nothing_is_preferred(folder: Path) -> None:
    found = prefer(folder, job(), answers())
    assert (found.answers, found.reports) == (tuple(answers()), {})


def test_the_head_says_what_the_tasks_people_would_prefer(folder: Path) -> None:
    learned_from(folder, 150)
    found = prefer(folder, job(), answers())
    assert [answer.preferred for answer in found.answers] == [{"win_rate": 1.0}, {"win_rate": 0.0}, {"win_rate": 0.5}]
    assert found.reports["win_rate"]["used"] is True
    assert found.reports["win_rate"]["longer"] == 0.5


def test_too_few_pairs_or_no_sentence_model_leave_it_out_and_say_why(folder: Path) -> None:
    learned_from(folder, 20)
    found = prefer(folder, job(), answers())
    assert [answer.preferred for answer in found.answers] == [{}, {}, {}]
    assert "20 of 100 pairs" in found.reports["win_rate"]["reason"]
    learned_from(folder, 150)
    absent = job().model_copy(update={"embeddings": Embeddings(model="nobody/nothing")})
    assert "hf download nobody/nothing" in prefer(folder, absent, answers()).reports["win_rate"]["reason"]


def test_the_judge_is_asked_in_both_orders_and_reported(folder: Path) -> None:
    with judging(lambda first, _: "A" if first.startswith("thanks") else "B") as server:
        found = prefer(folder, job(judge={"url": server.url, "model": "wise"}), answers())
    assert [answer.preferred for answer in found.answers] == [{"judge": 1.0}, {"judge": 0.0}, {"judge": 0.5}]
    assert found.reports["judge"] == {"disagreed": 0, "unreadable": 0, "compared": 3}


def test_a_judge_that_is_away_fails_the_judging(folder: Path) -> None:
    with pytest.raises(JudgeUnreachable):
        prefer(folder, job(judge={"url": "http://127.0.0.1:9/v1", "model": "wise"}), answers())
