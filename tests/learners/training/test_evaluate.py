"""An evaluate job: both contenders answer, a validator scores, and the engine is left as it was found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from learners.engines.client import Answer, EngineModel, Scored
from learners.engines.errors import EngineRefused, EngineUnreachable
from learners.job import (
    Compared,
    Contender,
    EngineAddress,
    EvaluateJob,
    EvaluateResult,
    Likelihood,
    Prompt,
    Screen,
    ValidatorChoice,
)
from learners.job_files import last_progress, read_answers, read_result, write_job, write_prompts
from learners.training import evaluate
from learners.training.worker import perform
from storage.records import Message

PROMPTS = (
    Prompt(id="a", messages=(Message("user", "one"),), target="two words", weight=0.5, user=0),
    Prompt(id="b", messages=(Message("system", "brief"), Message("user", "two"), Message("assistant", "x"))),
)

TOO_LONG = 50


class FakeEngine:
    """Answers with the name it was asked under; the longer a target, the less likely."""

    served: dict[str, str | None]
    asked: list[int]
    gone = False
    candidate_nll = 2.0  # a token; the champion's is 2

    def __init__(self, url: str, timeout_s: float) -> None:
        if self.gone:
            raise EngineUnreachable(f"The engine at {url} cannot be reached")

    def __enter__(self) -> FakeEngine:
        return self

    def __exit__(self, *_: object) -> None: ...

    def models(self) -> list[EngineModel]:
        return [EngineModel(name, root, None) for name, root in self.served.items()]

    def load(self, name: str, path: str) -> None:
        self.served[name] = path

    def unload(self, name: str) -> None:
        del self.served[name]

    def generate_what_fits(
        self, model: str, prompts: Sequence[Sequence[Message]], sampling: Any
    ) -> list[Answer | None]:
        assert model in self.served
        self.asked.append(len(prompts))
        answer = Answer(f"{model} of {self.served[model]}", "stop", 3)
        return [answer if len(prompt[-1].content.split()) < TOO_LONG else None for prompt in prompts]

    def score_what_fits(self, model: str, items: Sequence[tuple[Sequence[Message], str]]) -> list[Scored | None]:
        assert model in self.served
        counts = [len(text.split()) for _, text in items]
        nll = self.candidate_nll if model.startswith("judged") else 2.0
        jitter = [0.01 * (len(messages[-1].content) % 5) for messages, _ in items]
        return [
            Scored((nll + more) * count, count, 0.5) if count < TOO_LONG else None
            for count, more in zip(counts, jitter if nll != 2.0 else [0.0] * len(items), strict=True)
        ]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> type[FakeEngine]:
    class Fresh(FakeEngine):
        served: dict[str, str | None] = {"base": None, "erd-v3-ab": "/artifacts/v3"}  # noqa: RUF012
        asked: list[int] = []  # noqa: RUF012

    monkeypatch.setattr(evaluate, "EngineClient", Fresh)
    return Fresh


def evaluated(
    directory: Path,
    champion: Contender,
    validator: ValidatorChoice | None = None,
    prompts: Sequence[Prompt] = PROMPTS,
    **changes: Any,
) -> EvaluateResult:
    job = EvaluateJob(
        task="team/erd",
        update_id=5,
        engine=EngineAddress(url="http://127.0.0.1:9"),
        candidate=Contender(name="team/erd@v4", path="/jobs/5/adapter"),
        champion=champion,
        validator=validator,
    ).model_copy(update=changes)
    write_job(directory, job)
    write_prompts(directory, prompts)
    perform(directory)
    result = read_result(directory)
    assert isinstance(result, EvaluateResult)
    return result


CHAMPION = Contender(name="erd@v3", path="/artifacts/v3", engine_model="erd-v3-ab")


def test_both_answer_every_prompt(tmp_path: Path, engine: type[FakeEngine]) -> None:
    result = evaluated(tmp_path, CHAMPION)
    assert (result.outcome, result.prompts, result.candidate_score) == ("evaluated", 2, None)
    first, second = read_answers(tmp_path)
    assert (first.id, first.weight, first.user, first.target) == ("a", 0.5, 0, "two words")
    assert first.candidate.text == "judged-5-1-team.erd-v4 of /jobs/5/adapter"
    assert first.champion.text == "erd-v3-ab of /artifacts/v3"
    assert (first.candidate.nll_per_token, first.candidate.entropy) == (2.0, 0.5)
    assert second.candidate.nll_per_token is None
    progress = last_progress(tmp_path)
    assert progress is not None
    assert (progress.done, progress.total) == (4, 4)


def test_the_engine_is_left_as_it_was_found(tmp_path: Path, engine: type[FakeEngine]) -> None:
    evaluated(tmp_path, CHAMPION)
    assert engine.served == {"base": None, "erd-v3-ab": "/artifacts/v3"}


def test_the_bare_base_is_a_champion_too(tmp_path: Path, engine: type[FakeEngine]) -> None:
    evaluated(tmp_path, Contender(name="erd@v0"))
    assert read_answers(tmp_path)[0].champion.text == "base of None"


def test_a_champion_that_is_not_served_is_loaded_for_the_job(tmp_path: Path, engine: type[FakeEngine]) -> None:
    evaluated(tmp_path, CHAMPION.model_copy(update={"engine_model": "erd-v3-gone"}))
    assert read_answers(tmp_path)[0].champion.text == "judged-5-1-erd-v3 of /artifacts/v3"


def test_a_validator_scores_what_was_said_to_the_last_user_turn(tmp_path: Path, engine: type[FakeEngine]) -> None:
    result = evaluated(tmp_path, CHAMPION, ValidatorChoice(name="json_schema", settings={"schema": {"type": "object"}}))
    [first, _] = read_answers(tmp_path)
    assert first.candidate.score == 0.0
    assert first.candidate.passed is False
    assert first.candidate.checks
    assert result.candidate_score == 0.0


def test_an_engine_that_is_away_fails_the_job_which_may_be_tried_again(
    tmp_path: Path, engine: type[FakeEngine]
) -> None:
    engine.gone = True
    result = evaluated(tmp_path, CHAMPION)
    assert (result.outcome, result.try_again) == ("failed", True)
    assert "cannot be reached" in result.reason


def test_a_validators_service_that_is_away_fails_the_job_which_may_be_tried_again(
    tmp_path: Path, engine: type[FakeEngine]
) -> None:
    """Scores of 0 would let the network judge."""
    settings = {"url": "http://127.0.0.1:9/", "attempts": 1}
    result = evaluated(tmp_path, CHAMPION, ValidatorChoice(name="http", settings=settings))
    assert (result.outcome, result.try_again) == ("failed", True)
    assert "validator http: http://127.0.0.1:9/ does not answer" in result.reason


def test_what_was_answered_before_a_validator_failed_is_not_asked_again(
    tmp_path: Path, engine: type[FakeEngine]
) -> None:
    """Answers take longer than scores, and a service may be away for all attempts but the last."""
    champion = CHAMPION.model_copy(update={"identity": "c" * 64})
    settings = {"url": "http://127.0.0.1:9/", "attempts": 1}
    kept = str(tmp_path / "answers")
    for attempt in ("1", "2"):
        (tmp_path / attempt).mkdir()
    failed = evaluated(tmp_path / "1", champion, ValidatorChoice(name="http", settings=settings), kept_answers=kept)
    assert failed.outcome == "failed"
    again = evaluated(tmp_path / "2", champion, kept_answers=kept)
    assert again.remembered >= 2, "both of the champion's answers"


def test_settings_that_cannot_be_fail_the_job_for_good(tmp_path: Path, engine: type[FakeEngine]) -> None:
    result = evaluated(tmp_path, CHAMPION, ValidatorChoice(name="json_schema", settings={"shema": 1}))
    assert (result.outcome, result.try_again) == ("failed", False)
    assert "shema" in result.reason
    assert "adaptd.yaml" in result.reason


def test_an_unknown_validator_fails_the_job_for_good(tmp_path: Path, engine: type[FakeEngine]) -> None:
    result = evaluated(tmp_path, CHAMPION, ValidatorChoice(name="no_such"))
    assert (result.outcome, result.try_again) == ("failed", False)
    assert "no_such" in result.reason


def compared(name: str, chosen: str, rejected: str) -> Prompt:
    return Prompt(id=name, messages=PROMPTS[0].messages, pair=Compared(chosen=chosen, rejected=rejected))


def test_both_texts_of_a_pair_are_measured_under_both(tmp_path: Path, engine: type[FakeEngine]) -> None:
    evaluated(tmp_path, CHAMPION, prompts=[compared("a", "two words", "just three words")])
    (read,) = read_answers(tmp_path)
    assert read.pair == Compared(chosen="two words", rejected="just three words")
    for said in (read.candidate, read.champion):
        assert (said.chosen, said.rejected) == (Likelihood(nll=4.0, tokens=2), Likelihood(nll=6.0, tokens=3))
        assert said.nll_per_token is None


def test_a_text_too_long_for_the_engine_is_left_out_and_counted(tmp_path: Path, engine: type[FakeEngine]) -> None:
    long = "word " * TOO_LONG
    result = evaluated(tmp_path, CHAMPION, prompts=[compared("a", long, "short"), compared("b", "one", "two")])
    assert result.outcome == "evaluated"
    assert "human texts of 1 are too long for the engine" in result.reason
    first, second = read_answers(tmp_path)
    assert first.candidate.chosen is None
    assert first.candidate.rejected is not None
    assert second.candidate.chosen is not None


def test_a_prompt_too_long_for_the_engine_is_left_out_and_counted(tmp_path: Path, engine: type[FakeEngine]) -> None:
    long = Prompt(id="c", messages=(Message("user", "word " * TOO_LONG),), target="two words")
    result = evaluated(tmp_path, CHAMPION, prompts=[long, *PROMPTS])
    assert (result.outcome, result.prompts) == ("evaluated", 2)
    assert "the engine refused 1, as too long" in result.reason
    assert [answers.id for answers in read_answers(tmp_path)] == ["a", "b"]


def test_equal_prompts_are_answered_once(tmp_path: Path, engine: type[FakeEngine]) -> None:
    evaluated(tmp_path, CHAMPION, prompts=[compared(str(i), "one", "two") for i in range(5)])
    assert engine.asked == [1, 1]
    assert len({answers.candidate.text for answers in read_answers(tmp_path)}) == 1


MANY = [
    Prompt(id=str(at), messages=(Message("user", f"question {at}" + "x" * (at % 7)),), target=f"answer {at}")
    for at in range(80)
]
SCREEN = Screen(prompts=30, level=0.005, seed=1, primary="auto")


def test_a_candidate_that_is_clearly_worse_on_the_screen_is_asked_no_more(
    tmp_path: Path, engine: type[FakeEngine]
) -> None:
    engine.candidate_nll = 5.0
    result = evaluated(tmp_path, CHAMPION, prompts=MANY, screen=SCREEN)
    assert (result.outcome, result.screened, result.prompts, result.generated) == ("evaluated", True, 30, 60)
    assert result.reason == "clearly worse on a screen of 30 prompts; 50 others were not asked"
    assert len(read_answers(tmp_path)) == 30
    assert engine.served == {"base": None, "erd-v3-ab": "/artifacts/v3"}


def test_a_candidate_that_passes_the_screen_is_asked_the_others_and_nothing_twice(
    tmp_path: Path, engine: type[FakeEngine]
) -> None:
    result = evaluated(tmp_path, CHAMPION, prompts=MANY, screen=SCREEN)
    assert (result.screened, result.prompts, engine.asked) == (False, 80, [30, 30, 50, 50])
    assert [answers.id for answers in read_answers(tmp_path)] == [prompt.id for prompt in MANY]


def test_the_screen_is_a_draw_of_the_gate_s_own_prompts_and_left_out_where_it_saves_little() -> None:
    golden = [prompt.model_copy(update={"part": "golden"}) for prompt in MANY[:20]]
    drawn = evaluate.screened_prompts([*golden, *MANY], SCREEN)
    assert len({prompt.id for prompt in drawn}) == 30
    assert {prompt.part for prompt in drawn} == {"gate"}
    assert drawn != MANY[:30]
    assert drawn == evaluate.screened_prompts([*golden, *MANY], SCREEN)
    assert evaluate.screened_prompts(MANY[:59], SCREEN) == []


def test_a_screen_draws_different_prompts_and_asks_each_as_often_as_the_gate_does() -> None:
    again = [prompt.model_copy(update={"id": f"{prompt.id} again"}) for prompt in MANY]
    drawn = evaluate.screened_prompts([*MANY, *again], SCREEN)
    assert len(drawn) == 60
    assert len({prompt.messages for prompt in drawn}) == 30
    assert evaluate.screened_prompts([*MANY[:30], *again[:30]], SCREEN) == []


def test_where_no_screen_ran_the_result_does_not_say_that_one_was_passed(
    tmp_path: Path, engine: type[FakeEngine]
) -> None:
    result = evaluated(tmp_path, CHAMPION, prompts=MANY[:59], screen=SCREEN)
    assert (result.screened, result.prompts) == (None, 59)


def test_answers_to_equal_prompts_say_that_they_are(tmp_path: Path, engine: type[FakeEngine]) -> None:
    loud = MANY[0].model_copy(update={"id": "loud", "messages": (Message("user", " QUESTION  0"),)})
    evaluated(tmp_path, CHAMPION, prompts=[MANY[0], loud, MANY[1]])
    one, same, other = (answers.prompt for answers in read_answers(tmp_path))
    assert one == same != other


def test_what_was_said_to_an_earlier_job_is_not_asked_again(tmp_path: Path, engine: type[FakeEngine]) -> None:
    known = CHAMPION.model_copy(update={"identity": "c" * 64})
    kept: dict[str, Any] = {"kept_answers": str(tmp_path / "answers")}
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    first = evaluated(folders[0], known, prompts=MANY[:20], **kept)
    second = evaluated(folders[1], known, prompts=MANY[:25], **kept)
    assert (first.generated, first.remembered) == (40, 0)
    assert second.generated == 25 + 5
    texts = [[pair.champion.text for pair in read_answers(folder)] for folder in folders]
    assert texts[1][:20] == texts[0]
    (tmp_path / "answers" / f"{'c' * 40}.jsonl").unlink()
    assert evaluated(folders[1], known, prompts=MANY[:25], **kept).generated == 50


def test_one_prompt_more_that_is_too_long_does_not_fail_a_job_that_knows_the_others(
    tmp_path: Path, engine: type[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = CHAMPION.model_copy(update={"identity": "c" * 64})
    kept: dict[str, Any] = {"kept_answers": str(tmp_path / "answers")}
    evaluated(tmp_path, known, prompts=MANY[:20], **kept)

    def strict(self: FakeEngine, model: str, prompts: Sequence[Sequence[Message]], sampling: Any) -> list[Any]:
        said = [None if len(prompt[-1].content.split()) >= TOO_LONG else Answer("x", "stop", 1) for prompt in prompts]
        if said and all(one is None for one in said):
            raise EngineRefused(400, "too long", "")
        return said

    monkeypatch.setattr(engine, "generate_what_fits", strict)
    long = Prompt(id="long", messages=(Message("user", "word " * TOO_LONG),))
    result = evaluated(tmp_path, known, prompts=[*MANY[:20], long], **kept)
    assert (result.outcome, result.prompts) == ("evaluated", 20)


def test_golden_prompts_are_answered_and_retention_prompts_only_measured(
    tmp_path: Path, engine: type[FakeEngine]
) -> None:
    golden = [MANY[0].model_copy(update={"id": "golden-1", "part": "golden"})]
    general = [MANY[1].model_copy(update={"id": "retention-1", "part": "retention"})]
    evaluated(tmp_path, CHAMPION, prompts=[*general, *golden, MANY[2]])
    of_gate, of_golden, of_retention = read_answers(tmp_path)
    assert [one.part for one in (of_gate, of_golden, of_retention)] == ["gate", "golden", "retention"]
    assert of_golden.candidate.measures.similarity is not None
    assert (of_retention.candidate.text, of_retention.candidate.nll_per_token) == ("", 2.0)
    assert engine.asked == [2, 2]


def test_the_kl_of_an_answer_is_the_log_ratio_along_what_the_candidate_said(
    tmp_path: Path, engine: type[FakeEngine]
) -> None:
    engine.candidate_nll = 0.5
    same_length = [prompt.model_copy(update={"messages": (Message("user", "12345"),)}) for prompt in MANY[:3]]
    evaluated(tmp_path, CHAMPION, prompts=same_length)
    first = read_answers(tmp_path)[0]
    assert first.candidate.measures.kl == pytest.approx(1.5)
    assert first.champion.measures.kl is None
