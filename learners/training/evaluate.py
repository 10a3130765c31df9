"""An evaluate job: candidate and champion answer the same prompts, a validator scores the answers.

How likely each holds what humans wrote, chose and rejected is measured too. A prompt or a text that is too long for the
engine is left out and counted in the reason: one user's must not hold up everybody's judgement. Prompts
that are equal are answered once where answers are not drawn at random.

It talks to an engine over HTTP and uses no torch itself. What it loads into the engine it loads under names of its
own, and unloads again; adapters that the engine already serves are asked under the name they are served by.
Judging is not done here: the gate reads answers.jsonl.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from learners.engines.client import Answer, EngineClient, Scored
from learners.engines.wire import Sampling
from learners.job import (
    AnswerPair,
    Contender,
    EvaluateJob,
    EvaluateResult,
    JudgedAnswer,
    Likelihood,
    Progress,
    Prompt,
)
from learners.job_files import append_progress, read_prompts, write_answers
from learners.validators import Validator, open_validator
from storage.records import codec


def run_evaluation(directory: Path, job: EvaluateJob) -> EvaluateResult:
    """Fills answers.jsonl. Raises what engine and validator raise on purpose."""
    prompts = read_prompts(directory)
    validator = _open_validator(job)
    with EngineClient(job.engine.url, job.engine.timeout_s) as engine:
        _say(directory, 0, prompts)
        candidate = _answers(engine, job, job.candidate, prompts, validator)
        _say(directory, len(prompts), prompts)
        champion = _answers(engine, job, job.champion, prompts, validator)
    _say(directory, 2 * len(prompts), prompts)
    said = zip(prompts, candidate, champion, strict=True)
    answers = [_pair(prompt, one, other) for prompt, one, other in said if one is not None and other is not None]
    write_answers(directory, answers)
    return EvaluateResult(
        outcome="evaluated",
        reason=_in_words(len(prompts), answers),
        prompts=len(answers),
        candidate_score=_mean_score([answer.candidate for answer in answers]),
        champion_score=_mean_score([answer.champion for answer in answers]),
    )


def _in_words(asked: int, answers: Sequence[AnswerPair]) -> str:
    refused, too_long = asked - len(answers), sum(_lacks(answer) for answer in answers)
    return (
        f"both answered {len(answers)} prompts"
        + (f"; the engine refused {refused}, as too long" if refused else "")
        + (f"; human texts of {too_long} are too long for the engine" if too_long else "")
    )


def _answers(
    engine: EngineClient,
    job: EvaluateJob,
    contender: Contender,
    prompts: Sequence[Prompt],
    validator: Validator | None,
) -> list[JudgedAnswer | None]:
    with _in_engine(engine, job, contender) as model:
        said = _generate(engine, job, model, prompts)
        likelihoods = _score(engine, model, prompts)
    pairs = zip(prompts, said, strict=True)
    return [_judge(prompt, answer, likelihoods, validator) if answer else None for prompt, answer in pairs]


def _generate(engine: EngineClient, job: EvaluateJob, model: str, prompts: Sequence[Prompt]) -> list[Answer | None]:
    """An answer to each prompt that fits; greedy ones to equal prompts are equal, and asked for once."""
    sampling = Sampling(max_tokens=job.sampling.max_tokens, temperature=job.sampling.temperature)
    if sampling.temperature > 0:
        return engine.generate_what_fits(model, [prompt.messages for prompt in prompts], sampling)
    different = {codec.to_json(prompt.messages): prompt.messages for prompt in prompts}
    answers = dict(zip(different, engine.generate_what_fits(model, list(different.values()), sampling), strict=True))
    return [answers[codec.to_json(prompt.messages)] for prompt in prompts]


Likelihoods = Mapping[tuple[str, str], Scored]  # by prompt id and text


def _score(engine: EngineClient, model: str, prompts: Sequence[Prompt]) -> Likelihoods:
    """How likely the model holds every human text of the prompts; without those that are too long for it."""
    items = [(prompt, text) for prompt in prompts for text in dict.fromkeys(_texts(prompt))]
    scored = engine.score_what_fits(model, [(prompt.messages, text) for prompt, text in items])
    found = zip(items, scored, strict=True)
    return {(prompt.id, text): one for (prompt, text), one in found if one is not None and one.tokens}


def _texts(prompt: Prompt) -> list[str]:
    pair = [prompt.pair.chosen, prompt.pair.rejected] if prompt.pair else []
    return [*([prompt.target] if prompt.target else []), *pair]


@contextmanager
def _in_engine(engine: EngineClient, job: EvaluateJob, contender: Contender) -> Iterator[str]:
    """The name under which the engine answers as the contender; loaded for this job where it is not served."""
    served = [model.name for model in engine.models()]
    if contender.path is None:
        yield served[0]
    elif contender.engine_model is not None and contender.engine_model in served:
        yield contender.engine_model
    else:
        name = f"judged-{job.update_id}-{job.attempt}-{contender.name.replace('/', '.').replace('@', '-')}"
        engine.load(name, contender.path)
        try:
            yield name
        finally:
            engine.unload(name)


def _judge(prompt: Prompt, answer: Answer, likelihoods: Likelihoods, validator: Validator | None) -> JudgedAnswer:
    judged = JudgedAnswer(text=answer.text, finish_reason=answer.finish_reason, tokens=answer.tokens)
    judged = judged.model_copy(update=_likelihoods_of(prompt, likelihoods))
    if validator is None:
        return judged
    found = validator.validate(_asked(prompt), answer.text)
    scores = {"score": found.score, "passed": found.passed, "checks": dict(found.checks), "parts": dict(found.parts)}
    return judged.model_copy(update=scores)


def _likelihoods_of(prompt: Prompt, likelihoods: Likelihoods) -> dict[str, object]:
    found: dict[str, object] = {}
    target = likelihoods.get((prompt.id, prompt.target)) if prompt.target else None
    if target is not None:
        found |= {"nll_per_token": target.nll / target.tokens, "entropy": target.entropy}
    for name in ("chosen", "rejected") if prompt.pair else ():
        one = likelihoods.get((prompt.id, getattr(prompt.pair, name)))
        found[name] = one and Likelihood(nll=one.nll, tokens=one.tokens)
    return found


def _asked(prompt: Prompt) -> str:
    """What the user asked last: validators look at that."""
    return next((message.content for message in reversed(prompt.messages) if message.role == "user"), "")


def _open_validator(job: EvaluateJob) -> Validator | None:
    return None if job.validator is None else open_validator(job.validator.name, job.validator.settings)


def _pair(prompt: Prompt, candidate: JudgedAnswer, champion: JudgedAnswer) -> AnswerPair:
    return AnswerPair(
        id=prompt.id,
        weight=prompt.weight,
        target=prompt.target,
        pair=prompt.pair,
        user=prompt.user,
        candidate=candidate,
        champion=champion,
    )


def _lacks(answer: AnswerPair) -> bool:
    """Whether a human text of it could not be measured."""
    said = answer.candidate
    if answer.target and said.nll_per_token is None:
        return True
    return answer.pair is not None and (said.chosen is None or said.rejected is None)


def _mean_score(answers: Sequence[JudgedAnswer]) -> float | None:
    scores = [answer.score for answer in answers if answer.score is not None]
    return fmean(scores) if scores else None


def _say(directory: Path, done: int, prompts: Sequence[Prompt]) -> None:
    append_progress(directory, Progress(at=datetime.now(UTC), done=done, total=2 * len(prompts)))
