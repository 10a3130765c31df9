"""An evaluate job: candidate and champion answer the same prompts, a validator scores the answers.

How likely each holds what humans wrote, chose and rejected is measured too, and what else `learners.gate.measures` has.
A prompt or a text that is too long for the engine is left out and counted in the reason: one user's must not hold up
everybody's judgement. Where the job has a screen, a few prompts are answered first, and a candidate that is clearly
worse on them is not asked the others.

It talks to an engine over HTTP and uses no torch itself. What it loads into the engine it loads under names of its
own, and unloads again. Judging is not done here, but for the screen: the gate reads answers.jsonl.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import get_args

from consumers.cleaning import prompt_key
from learners.engines.client import Answer, EngineClient
from learners.gate import GateSettings, clearly_worse, gate_rows
from learners.gate.measures import generic_targets, measure_answers
from learners.job import (
    AnswerPair,
    EvaluateJob,
    EvaluateResult,
    JudgedAnswer,
    Likelihood,
    Part,
    Progress,
    Prompt,
    Screen,
)
from learners.job_files import append_progress, read_prompts, write_answers
from learners.training.contenders import ContenderAt
from learners.training.preferring import prefer
from learners.validators import Validator, open_validator

KL_ANSWERS = 60  # so many of the candidate's answers are measured under both: a mean over these is telling enough
_WHOLE = "stop"  # the finish reason of an answer that ended by itself


def run_evaluation(directory: Path, job: EvaluateJob) -> EvaluateResult:
    """Fills answers.jsonl. Raises what engine and validator raise on purpose."""
    prompts = read_prompts(directory)
    validator = _open_validator(job)
    with (
        EngineClient(job.engine.url, job.engine.timeout_s) as engine,
        ContenderAt(engine, job, job.candidate) as candidate,
        ContenderAt(engine, job, job.champion) as champion,
    ):

        def say(done: int) -> None:
            append_progress(directory, Progress(at=datetime.now(UTC), done=done, total=2 * len(prompts)))

        say(0)
        read, screened = _ask(job, prompts, candidate, champion, validator, say)
        say(2 * len(prompts))
    preferred = prefer(directory, job, read)
    write_answers(directory, preferred.answers)
    mine = [pair for pair in read if pair.part == "gate"]
    return EvaluateResult(
        outcome="evaluated",
        reason=_in_words(len(prompts), read, screened),
        prompts=len(read),
        screened=screened,
        generated=candidate.generated + champion.generated,
        remembered=candidate.remembered + champion.remembered,
        preferring=preferred.reports,
        candidate_score=_mean_score([pair.candidate for pair in mine]),
        champion_score=_mean_score([pair.champion for pair in mine]),
    )


def _ask(
    job: EvaluateJob,
    prompts: Sequence[Prompt],
    candidate: ContenderAt,
    champion: ContenderAt,
    validator: Validator | None,
    say: Callable[[int], None],
) -> tuple[list[AnswerPair], bool | None]:
    """What both said, and whether that was the screen alone, None where there was no screen. The champion goes first
    there: it often is known."""
    passed = None
    if (first := screened_prompts(prompts, job.screen)) and job.screen is not None:
        _hear(champion, first)
        champion.release()
        _hear(candidate, first)
        pairs = _pairs(job, first, candidate, champion, validator)
        if _clearly_worse(job.screen, pairs):
            return pairs, True
        passed = False
        say(2 * len(first))
    _hear(candidate, prompts)
    candidate.likelihoods(own := _own_texts(prompts, candidate))
    candidate.release()
    say(len(prompts))
    _hear(champion, prompts)
    champion.likelihoods(own)
    return _pairs(job, prompts, candidate, champion, validator, measured=True), passed


def screened_prompts(prompts: Sequence[Prompt], screen: Screen | None) -> list[Prompt]:
    """So many of the gate's different prompts as the screen wants, each as often as it was asked; none where asking
    them apart would save little."""
    asked: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        if prompt.part == "gate":
            asked.setdefault(prompt_key(prompt.messages), []).append(prompt)
    if screen is None or len(asked) < 2 * screen.prompts:
        return []
    drawn = random.Random(screen.seed).sample(list(asked.values()), screen.prompts)
    return [prompt for same in drawn for prompt in same]


def _hear(contender: ContenderAt, prompts: Sequence[Prompt]) -> None:
    contender.answers([prompt for prompt in prompts if prompt.part != "retention"])
    contender.likelihoods([(prompt, text) for prompt in prompts for text in _texts(prompt)])


def _own_texts(prompts: Sequence[Prompt], candidate: ContenderAt) -> list[tuple[Prompt, str]]:
    """The candidate's own answers to some of the gate's prompts; whole ones, since a likelihood counts the end too."""
    mine = [prompt for prompt in prompts if prompt.part == "gate"][:KL_ANSWERS]
    said = zip(mine, candidate.answers(mine), strict=True)
    return [(p, answer.text) for p, answer in said if answer and answer.text and answer.finish_reason == _WHOLE]


def _clearly_worse(screen: Screen, pairs: Sequence[AnswerPair]) -> bool:
    primary = screen.primary if screen.primary in get_args(GateSettings.model_fields["primary"].annotation) else "auto"
    settings = GateSettings.model_validate({"primary": primary})
    return clearly_worse(gate_rows(pairs), settings, screen.max_share_per_user, screen.level)


def _pairs(
    job: EvaluateJob,
    prompts: Sequence[Prompt],
    candidate: ContenderAt,
    champion: ContenderAt,
    validator: Validator | None,
    *,
    measured: bool = False,
) -> list[AnswerPair]:
    """Both contenders on every prompt that fits, the parts in order; `measured` also for people to read."""
    found: list[AnswerPair] = []
    for part in get_args(Part):
        asked = [prompt for prompt in prompts if prompt.part == part]
        sides = [_said(contender, asked, part) for contender in (candidate, champion)]
        both = [at for at in range(len(asked)) if sides[0][at] is not None and sides[1][at] is not None]
        kept = [asked[at] for at in both]
        judged = [
            [
                _judge(prompt, answer, contender, validator)
                for prompt, answer in zip(kept, _some(side, both), strict=True)
            ]
            for contender, side in zip((candidate, champion), sides, strict=True)
        ]
        if measured and part != "retention":
            ratios = _log_ratios(kept, candidate, champion)
            judged[0] = measure_answers(kept, judged[0], job.similarity, ratios)
            judged[1] = measure_answers(kept, judged[1], job.similarity, [None] * len(kept))
        generic = generic_targets(kept) if measured else [None] * len(kept)
        found += [_pair(*each) for each in zip(kept, *judged, generic, strict=True)]
    return found


def _said(contender: ContenderAt, prompts: Sequence[Prompt], part: Part) -> list[Answer | None]:
    """To a retention prompt nothing is said: it is there for its target's likelihood."""
    return [Answer("", _WHOLE, 0) for _ in prompts] if part == "retention" else contender.answers(prompts)


def _some(said: Sequence[Answer | None], which: Sequence[int]) -> list[Answer]:
    return [answer for at in which if (answer := said[at]) is not None]


def _log_ratios(prompts: Sequence[Prompt], candidate: ContenderAt, champion: ContenderAt) -> list[float | None]:
    """log p(candidate) - log p(champion) of the candidate's own answers, per token, where it was measured."""
    own = {prompt.id: text for prompt, text in _own_texts(prompts, candidate)}
    items = [(prompt, own[prompt.id]) for prompt in prompts if prompt.id in own]
    scored = zip(items, candidate.likelihoods(items), champion.likelihoods(items), strict=True)
    found = {item[0].id: (b.nll - a.nll) / a.tokens for item, a, b in scored if a is not None and b is not None}
    return [found.get(prompt.id) for prompt in prompts]


def _texts(prompt: Prompt) -> list[str]:
    pair = [prompt.pair.chosen, prompt.pair.rejected] if prompt.pair else []
    return list(dict.fromkeys([*([prompt.target] if prompt.target else []), *pair]))


def _judge(prompt: Prompt, answer: Answer, contender: ContenderAt, validator: Validator | None) -> JudgedAnswer:
    judged = JudgedAnswer(text=answer.text, finish_reason=answer.finish_reason, tokens=answer.tokens)
    judged = judged.model_copy(update=_likelihoods_of(prompt, contender))
    if validator is None or prompt.part == "retention":
        return judged
    found = validator.validate(_asked(prompt), answer.text)
    scores = {"score": found.score, "passed": found.passed, "checks": dict(found.checks), "parts": dict(found.parts)}
    return judged.model_copy(update=scores)


def _likelihoods_of(prompt: Prompt, contender: ContenderAt) -> dict[str, object]:
    texts = _texts(prompt)
    scored = dict(zip(texts, contender.likelihoods([(prompt, text) for text in texts]), strict=True))
    found: dict[str, object] = {}
    if prompt.target and (target := scored[prompt.target]) is not None:
        found |= {"nll_per_token": target.nll / target.tokens, "entropy": target.entropy}
    for name in ("chosen", "rejected") if prompt.pair else ():
        one = scored[getattr(prompt.pair, name)]
        found[name] = one and Likelihood(nll=one.nll, tokens=one.tokens)
    return found


def _asked(prompt: Prompt) -> str:
    """What the user asked last: validators look at that."""
    return next((message.content for message in reversed(prompt.messages) if message.role == "user"), "")


def _open_validator(job: EvaluateJob) -> Validator | None:
    return None if job.validator is None else open_validator(job.validator.name, job.validator.settings)


def _pair(prompt: Prompt, candidate: JudgedAnswer, champion: JudgedAnswer, generic: bool | None) -> AnswerPair:
    return AnswerPair(
        id=prompt.id,
        part=prompt.part,
        weight=prompt.weight,
        target=prompt.target,
        pair=prompt.pair,
        user=prompt.user,
        target_generic=generic,
        prompt=prompt_key(prompt.messages),
        candidate=candidate,
        champion=champion,
    )


def _in_words(asked: int, answers: Sequence[AnswerPair], screened: bool | None) -> str:
    too_long = sum(_lacks(answer) for answer in answers)
    if screened:
        return f"clearly worse on a screen of {len(answers)} prompts; {asked - len(answers)} others were not asked"
    refused = asked - len(answers)
    return (
        f"both answered {len(answers)} prompts"
        + (f"; the engine refused {refused}, as too long" if refused else "")
        + (f"; human texts of {too_long} are too long for the engine" if too_long else "")
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
