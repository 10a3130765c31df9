"""Whom to ask about: what nobody has judged the like of, where answers are weak, no user more than their share."""

from datetime import UTC, datetime

from learners.asking import Asked, choose_questions
from storage.records import Example, Message, Scalar

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def answered(name: str, prompt: str, user: str | None = None, signal: float | None = None) -> Example:
    return Example(
        task="support",
        interaction_id=name,
        revision=1,
        joined=True,
        withdrawn=False,
        messages=(Message("user", prompt),),
        response="an answer",
        finish_reason="stop",
        model=None,
        adapter=None,
        user_id=user or name,
        users=(),
        first_seen_at=NOW,
        last_signal_at=None,
        effective_at=NOW,
        scalar=None if signal is None else Scalar(signal, 1, NOW),
    )


JACKETS = [answered(f"jacket {n}", f"can I return jacket number {n}") for n in range(5)]
DIAGRAMS = [answered(f"diagram {n}", f"draw a library diagram, version {n}") for n in range(3)]


def asked(candidates: list[Example], count: int, judged: list[Example] | None = None, **more: object) -> Asked:
    options = {"max_share_per_user": 1.0, "scores": [None] * len(candidates)} | more
    return choose_questions(candidates, judged or [], count, **options)  # type: ignore[arg-type]


def names(found: Asked) -> list[str]:
    return [question.example.interaction_id.split()[0] for question in found.questions]


def test_the_first_questions_stand_for_different_things_the_commonest_first() -> None:
    assert names(asked([*DIAGRAMS, *JACKETS], 2)) == ["jacket", "diagram"]


def test_what_was_judged_before_is_asked_about_last() -> None:
    judged = [answered("old", "can I return jacket number 77", signal=0.9)]
    assert names(asked([*DIAGRAMS, *JACKETS], 1, judged)) == ["diagram"]


def test_the_validator_says_where_answers_are_weak() -> None:
    groups = [answered(f"{kind} {n}", f"tell me of {kind} {n}") for kind in ("cats", "dogs") for n in range(3)]
    scores = [1.0, 1.0, 1.0, 0.0, 0.1, 0.2]
    found = asked(groups, 1, scores=scores)
    assert names(found) == ["dogs"]
    assert "the validator gave its answer" in found.questions[0].reason


def test_without_a_validator_weak_answers_are_where_people_found_them_weak() -> None:
    groups = [answered(f"{kind} {n}", f"tell me of {kind} {n}") for kind in ("cats", "dogs") for n in range(3)]
    judged = [
        answered("a", "tell me of cats please", signal=0.95),
        answered("b", "tell me of dogs please", signal=0.05),
    ]
    assert names(asked(groups, 1, judged)) == ["dogs"]


def test_no_user_is_asked_about_more_than_their_share() -> None:
    flood = [answered(f"flood {n}", f"something quite different {n} {n * 7} {n * 13}", user="loud") for n in range(20)]
    found = asked([*flood, *JACKETS], 5, max_share_per_user=0.2)
    assert sum(question.example.user_id == "loud" for question in found.questions) == 1
    assert found.over_share > 0


def test_one_prompt_is_asked_about_once() -> None:
    twins = [answered(f"twin {n}", "the very same prompt") for n in range(4)]
    found = asked(twins, 4)
    assert (len(found.questions), found.same_prompt) == (1, 3)


def test_scores_are_shares_that_fall_and_every_question_has_a_reason() -> None:
    found = asked([*JACKETS, *DIAGRAMS], 8)
    scores = [question.score for question in found.questions]
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)
    assert all(question.reason for question in found.questions)
    assert asked([], 3) == Asked((), 0, 0)
