"""An evaluate job: candidate and champion answer the same prompts, a validator scores the answers.

It talks to an engine over HTTP and uses no torch itself. What it loads into the engine it loads under names of its
own, and unloads again; adapters that the engine already serves are asked under the name they are served by.
Judging is not done here: the gate reads answers.jsonl.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from learners.engines.client import Answer, EngineClient, Scored
from learners.engines.wire import Sampling
from learners.job import AnswerPair, Contender, EvaluateJob, EvaluateResult, JudgedAnswer, Progress, Prompt
from learners.job_files import append_progress, read_prompts, write_answers
from learners.validators import Validator, open_validator


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
    write_answers(directory, [_pair(*row) for row in zip(prompts, candidate, champion, strict=True)])
    return EvaluateResult(
        outcome="evaluated",
        reason=f"both answered {len(prompts)} prompts",
        prompts=len(prompts),
        candidate_score=_mean_score(candidate),
        champion_score=_mean_score(champion),
    )


def _answers(
    engine: EngineClient,
    job: EvaluateJob,
    contender: Contender,
    prompts: Sequence[Prompt],
    validator: Validator | None,
) -> list[JudgedAnswer]:
    sampling = Sampling(max_tokens=job.sampling.max_tokens, temperature=job.sampling.temperature)
    with _in_engine(engine, job, contender) as model:
        said = engine.generate(model, [prompt.messages for prompt in prompts], sampling)
        targets = [(at, prompt.messages, prompt.target) for at, prompt in enumerate(prompts) if prompt.target]
        scored = engine.score(model, [(messages, target) for _, messages, target in targets])
    likelihoods = {at: one for (at, _, _), one in zip(targets, scored, strict=True)}
    return [_judge(prompts[at], answer, likelihoods.get(at), validator) for at, answer in enumerate(said)]


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


def _judge(prompt: Prompt, answer: Answer, likelihood: Scored | None, validator: Validator | None) -> JudgedAnswer:
    judged = JudgedAnswer(text=answer.text, finish_reason=answer.finish_reason, tokens=answer.tokens)
    if likelihood is not None and likelihood.tokens:
        nll = {"nll_per_token": likelihood.nll / likelihood.tokens, "entropy": likelihood.entropy}
        judged = judged.model_copy(update=nll)
    if validator is None:
        return judged
    found = validator.validate(_asked(prompt), answer.text)
    scores = {"score": found.score, "passed": found.passed, "checks": dict(found.checks), "parts": dict(found.parts)}
    return judged.model_copy(update=scores)


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
        user=prompt.user,
        candidate=candidate,
        champion=champion,
    )


def _mean_score(answers: Sequence[JudgedAnswer]) -> float | None:
    scores = [answer.score for answer in answers if answer.score is not None]
    return fmean(scores) if scores else None


def _say(directory: Path, done: int, prompts: Sequence[Prompt]) -> None:
    append_progress(directory, Progress(at=datetime.now(UTC), done=done, total=2 * len(prompts)))
