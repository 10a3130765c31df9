"""What an example teaches, and which method learns it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import log
from typing import Any

import pytest

from consumers.cleaning import prompt_key
from consumers.rewards import RewardSettings
from consumers.trust import Trust
from learners.methods import find_method
from learners.methods.kto import KtoSettings
from learners.methods.sft import SftSettings
from learners.router import Standing, answer_key, drop_leaks, offer, route, rows_of, version_of
from storage.records import Example, Message, Pair, Row, Scalar, Target

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=999)
REWARDS = RewardSettings()
KEY = b"of the lots"
PROMPT = (Message("user", "Draw a diagram"),)


@dataclass(frozen=True)
class FakeMethod:
    name: str
    takes: Callable[[Row, Any], bool]


def imitates(row: Row, floor: float) -> bool:
    return row.role == "target" or (row.role == "response" and row.signal >= floor)


SFT = [(FakeMethod("sft", imitates), 0.75)]

BARE = Example(
    task="erd",
    interaction_id="i1",
    revision=2,
    joined=True,
    withdrawn=False,
    messages=PROMPT,
    response="what the model said",
    finish_reason="stop",
    model=None,
    adapter=None,
    user_id="ada",
    users=("ada",),
    first_seen_at=NOW,
    last_signal_at=NOW,
    effective_at=NOW,
)
CORRECTED = replace(BARE, correction=Target("what a human made of it", 0.8, NOW, "bob"))
LIKED = replace(BARE, scalar=Scalar(0.9, 1, NOW))


def compares(row: Row, _: object) -> bool:
    return row.role == "pair"


BOTH = [*SFT, (FakeMethod("dpo", compares), None)]


def test_a_correction_teaches_a_target_with_reward_1_however_bad_the_answer_was() -> None:
    for similarity in (0.0, 0.8):
        target = rows_of(replace(BARE, correction=Target("better", similarity, NOW, "bob")), REWARDS, NOW)[0]
        assert (target.role, target.completion, target.reward, target.signal) == ("target", "better", 1.0, 1.0)
        assert (target.rejected, target.user_id) == (BARE.response, "bob")


def test_the_corrected_answer_keeps_its_own_signal_and_reward() -> None:
    response = rows_of(CORRECTED, REWARDS, NOW)[1]
    assert (response.role, response.completion, response.signal) == ("response", BARE.response, 0.8)
    assert 0 < response.reward < 1
    bad = rows_of(replace(BARE, correction=Target("t", 0.1, NOW, None)), REWARDS, NOW)[1]
    assert bad.reward < 0


def test_a_demonstration_is_a_target_beside_the_judged_answer() -> None:
    rows = rows_of(
        replace(BARE, demonstration=Target("by hand", 1.0, NOW, None), scalar=Scalar(0.2, 1, NOW)), REWARDS, NOW
    )
    assert [(row.role, row.completion) for row in rows] == [("target", "by hand"), ("response", BARE.response)]
    assert rows[0].user_id == "ada"


def test_a_rating_judges_the_response_and_a_correction_may_only_lower_it() -> None:
    assert rows_of(replace(BARE, scalar=Scalar(0.9, 2, NOW)), REWARDS, NOW)[0].signal == 0.9
    both = rows_of(replace(CORRECTED, scalar=Scalar(1.0, 1, NOW)), REWARDS, NOW)
    assert both[1].signal == 0.8


def test_an_answer_nobody_judged_gives_no_row() -> None:
    assert rows_of(BARE, REWARDS, NOW) == ()


@pytest.mark.parametrize(
    ("change", "why"), [({"finish_reason": "length"}, "cut"), ({"response": "so on " * 20}, "run-on")]
)
def test_an_answer_that_ended_badly_is_never_positive_but_its_correction_is(change: dict[str, Any], why: str) -> None:
    bad = replace(CORRECTED, **change)
    liked, disliked = (replace(BARE, scalar=Scalar(said, 1, NOW), **change) for said in (1.0, 0.0))
    everything = [(FakeMethod("kto", lambda row, _: row.role != "pair"), None)]
    assert [row.role for row in route(rows_of(bad, REWARDS, NOW), SFT).by_method["sft"]] == ["target"]
    assert route(rows_of(liked, REWARDS, NOW), everything).no_method == {why: 1}
    assert offer([(liked, rows_of(liked, REWARDS, NOW))], REWARDS, NOW, everything, KEY).no_method == {why: 1}
    assert [row.reward for row in route(rows_of(disliked, REWARDS, NOW), everything).by_method["kto"]] == [-1.0]


def test_a_pair_whose_chosen_text_runs_on_teaches_nobody() -> None:
    pair = Pair("ha " * 30, "no", False, NOW, None)
    routed = route(rows_of(replace(BARE, pairs=(pair,)), REWARDS, NOW), [(FakeMethod("dpo", compares), None)])
    assert routed.no_method == {"run-on": 1}


@pytest.mark.parametrize("change", [{"withdrawn": True}, {"joined": False}])
def test_withdrawn_and_unjoined_examples_teach_nothing(change: dict[str, bool]) -> None:
    assert rows_of(replace(CORRECTED, **change), REWARDS, NOW) == ()  # type: ignore[arg-type]


def test_pairs_become_rows_and_ties_do_not() -> None:
    pairs = (Pair("good", "bad", False, NOW, "bob"), Pair("x", "y", True, NOW, "bob"))
    (row,) = rows_of(replace(BARE, pairs=pairs), REWARDS, NOW)
    assert (row.role, row.completion, row.rejected) == ("pair", "good", "bad")


def test_weight_halves_with_the_half_life_and_once_more_after_a_rejected_update() -> None:
    fresh = rows_of(CORRECTED, REWARDS, NOW)[0].weight
    assert rows_of(CORRECTED, REWARDS, NOW + timedelta(days=30))[0].weight == pytest.approx(fresh / 2)
    assert rows_of(CORRECTED, REWARDS, NOW, half_weight=True)[0].weight == pytest.approx(fresh / 2)


def test_an_answer_that_was_far_off_weighs_more() -> None:
    near, far = (
        rows_of(replace(BARE, correction=Target("t", similarity, NOW, None)), REWARDS, NOW)[0].weight
        for similarity in (0.9, 0.1)
    )
    assert far > near


def test_what_is_aged_out_gives_no_row() -> None:
    assert rows_of(CORRECTED, REWARDS, NOW + timedelta(days=366)) == ()


def test_a_response_passes_by_its_signal() -> None:
    good, poor = (
        rows_of(replace(BARE, interaction_id=str(s), scalar=Scalar(s, 1, NOW)), REWARDS, NOW)[0] for s in (0.8, 0.7)
    )
    routed = route([good, poor], SFT)
    assert [row.signal for row in routed.by_method["sft"]] == [0.8]
    assert routed.no_method == {"response": 1}


def test_a_response_gives_way_to_the_target_of_the_same_example() -> None:
    routed = route(rows_of(CORRECTED, REWARDS, NOW), SFT)
    assert [row.role for row in routed.by_method["sft"]] == ["target"]


def test_pairs_without_a_method_for_them_are_counted() -> None:
    pair = replace(BARE, pairs=(Pair("good", "bad", False, NOW, None),))
    routed = route([*rows_of(pair, REWARDS, NOW), *rows_of(CORRECTED, REWARDS, NOW)], SFT)
    assert (routed.no_method, list(routed.by_method)) == ({"pair": 1}, ["sft"])


def test_a_failure_is_imitated_only_with_a_target_whoever_liked_it() -> None:
    failing = Standing(failing=frozenset({"i1"}))
    sft: list[Any] = [(find_method("sft"), SftSettings())]
    rows = rows_of(LIKED, REWARDS, NOW, standing=failing)
    assert route(rows, sft).no_method == {"failed check": 1}
    assert offer([(LIKED, rows)], REWARDS, NOW, sft, KEY).no_method == {"failed check": 1}
    assert route(rows_of(LIKED, REWARDS, NOW), sft).by_method["sft"], "it is another answer that fails"
    targets = route(rows_of(CORRECTED, REWARDS, NOW, standing=failing), sft).by_method["sft"]
    assert [row.role for row in targets] == ["target"]


def test_a_failure_without_a_target_may_be_a_row_of_kto_as_a_bad_one_alone() -> None:
    failing = Standing(failing=frozenset({"i1"}))
    both: list[Any] = [(find_method("sft"), SftSettings()), (find_method("kto"), KtoSettings())]
    liked, disliked = (
        route(rows_of(replace(BARE, scalar=Scalar(signal, 1, NOW)), REWARDS, NOW, standing=failing), both)
        for signal in (0.9, 0.1)
    )
    assert (liked.by_method, liked.no_method) == ({}, {"failed check": 1})
    assert [row.reward < 0 for row in disliked.by_method["kto"]] == [True]


def test_an_answer_of_negative_reward_is_not_imitated_however_low_the_floor_is() -> None:
    low: list[Any] = [(find_method("sft"), SftSettings(min_signal=0.6))]
    rows = rows_of(replace(BARE, scalar=Scalar(0.62, 1, NOW)), REWARDS, NOW)
    assert route(rows, low).no_method == {"response": 1}


def test_weights_have_mean_1_within_an_update_and_none_is_above_3() -> None:
    rows = [
        row
        for age in range(0, 400, 10)
        for row in rows_of(
            replace(CORRECTED, interaction_id=f"i{age}", correction=Target("t", 0.5, NOW - timedelta(days=age), None)),
            REWARDS,
            NOW,
        )
    ]
    weights = [row.weight for row in route(rows, SFT).by_method["sft"]]
    assert sum(weights) / len(weights) == pytest.approx(1)
    assert max(weights) == pytest.approx(3)


def test_only_what_a_method_learns_from_is_offered_to_the_batch() -> None:
    examples = [
        CORRECTED,
        replace(BARE, interaction_id="liked", scalar=Scalar(1.0, 1, NOW)),
        replace(BARE, interaction_id="disliked", scalar=Scalar(0.0, 1, NOW)),
        replace(BARE, interaction_id="compared", pairs=(Pair("good", "bad", False, NOW, None),)),
        replace(BARE, interaction_id="tie", pairs=(Pair("good", "bad", True, NOW, None),)),
        replace(
            CORRECTED,
            interaction_id="old",
            effective_at=NOW - timedelta(days=999),
            correction=Target("t", 0.5, NOW - timedelta(days=999), None),
        ),
    ]
    offered = offer([(each, rows_of(each, REWARDS, NOW)) for each in examples], REWARDS, NOW, SFT, KEY)
    assert [one.origin.interaction_id for one in offered.examples] == ["i1", "liked"]
    assert offered.examples[0].users == ("ada",)
    assert offered.no_method == {"response": 1, "pair": 1, "no row": 1, "aged out": 1}


def test_an_example_of_a_rejected_update_is_offered_at_half_weight() -> None:
    whole, half = (
        offer([(CORRECTED, rows_of(CORRECTED, REWARDS, NOW, halved))], REWARDS, NOW, SFT, KEY).examples[0].lot
        for halved in (False, True)
    )
    assert half == pytest.approx(whole + log(2)), "half as likely to be the earlier one"


def test_by_prompt_a_row_whose_normalised_prompt_is_in_the_gate_is_dropped() -> None:
    rows = rows_of(CORRECTED, REWARDS, NOW)
    gate = {prompt_key((Message("user", "  draw A   diagram"),))}
    assert drop_leaks(rows, gate, by="prompt") == ((), 2)
    assert drop_leaks(rows, {prompt_key((Message("user", "another"),))}, by="prompt") == (rows, 0)


def test_by_user_only_a_row_whose_prompt_and_completion_are_in_the_gate_is_dropped() -> None:
    rows = rows_of(CORRECTED, REWARDS, NOW)
    gate = {answer_key(PROMPT, "What a human  made of it")}
    kept, dropped = drop_leaks(rows, gate, by="user")
    assert ([row.role for row in kept], dropped) == (["response"], 1)


def test_where_kto_learns_a_batch_is_not_filled_with_disliked_answers_alone() -> None:
    liked = replace(BARE, interaction_id="liked", scalar=Scalar(1.0, 1, NOW))
    disliked = replace(BARE, interaction_id="disliked", scalar=Scalar(0.0, 1, NOW))
    both = [(each, rows_of(each, REWARDS, NOW)) for each in (liked, disliked)]
    kto = [*SFT, (FakeMethod("kto", lambda row, _: row.role != "pair"), None)]
    alone = [offer([each], REWARDS, NOW, kto, KEY).examples[0].lot for each in both]
    assert [each.lot for each in offer(both, REWARDS, NOW, kto, KEY).examples] == [min(alone), min(alone)]


def test_contradicting_votes_lower_an_answers_weight_and_not_its_corrections() -> None:
    agreed, even = Scalar(1.0, 2, NOW), Scalar(1.0, 2, NOW, variance=0.25)
    first, second = (rows_of(replace(CORRECTED, scalar=scalar), REWARDS, NOW) for scalar in (agreed, even))
    assert first[0].weight == second[0].weight, "the correction"
    assert second[1].weight == pytest.approx(first[1].weight * 0.1)


def test_users_who_prefer_the_contrary_make_one_pair_that_counts_less() -> None:
    """Three against one; the one who changed her mind has one voice."""
    mine, theirs = Pair("a", "b", False, NOW, "u0"), Pair("b", "a", False, NOW, "u4")
    agreed = [replace(mine, user_id=f"u{n}") for n in range(3)]
    changed = [replace(theirs, user_id="u0"), *agreed]
    for pairs in (changed, [*agreed, theirs]):
        (row,) = rows_of(replace(BARE, pairs=tuple(pairs)), REWARDS, NOW)
        assert (row.completion, row.rejected) == ("a", "b")
        assert row.weight == pytest.approx(0.5 if theirs in pairs else 1.0)


def test_a_preference_that_is_aged_out_has_no_voice_any_more() -> None:
    new, old = Pair("a", "b", False, NOW, "u0"), Pair("b", "a", False, LONG_AGO, "u1")
    (row,) = rows_of(replace(BARE, pairs=(old, new)), REWARDS, NOW)
    assert (row.even_split, row.weight) == (False, 1.0)


def test_a_pair_is_trusted_as_the_majority_is() -> None:
    pairs = (Pair("a", "b", False, NOW, "u1"), Pair("b", "a", False, NOW, "u2"), Pair("a", "b", False, NOW, "u3"))
    trust = Standing(Trust({"u1": 0.2, "u2": 1.0, "u3": 0.4}))
    (row,) = rows_of(replace(BARE, pairs=pairs), REWARDS, NOW, standing=trust)
    assert row.weight == pytest.approx(0.3 / 3)


def test_an_even_split_is_offered_to_no_batch_and_counted() -> None:
    split = replace(BARE, pairs=(Pair("a", "b", False, NOW, "u1"), Pair("b", "a", False, NOW, "u2")))
    offered = offer([(split, rows_of(split, REWARDS, NOW))], REWARDS, NOW, BOTH, KEY)
    assert (offered.examples, offered.no_method) == ((), {"even split": 1})


def test_trust_is_that_of_who_said_it() -> None:
    trust = Standing(Trust({"u1": 0.5, "bob": 0.2}, prior=0.8))
    both = replace(CORRECTED, users=("u1", "bob"))
    target, response = rows_of(both, REWARDS, NOW, standing=trust)
    plain_target, plain_response = rows_of(both, REWARDS, NOW)
    assert target.weight == pytest.approx(plain_target.weight * trust.trust.of([target.user_id]))
    assert response.weight == pytest.approx(plain_response.weight * 0.35)
    pair = replace(BARE, pairs=(Pair("yes", "no", False, NOW, "stranger"),))
    assert rows_of(pair, REWARDS, NOW, standing=trust)[0].weight == pytest.approx(0.8)


AGED = replace(BARE, adapter=f"{BARE.task}@v2", scalar=Scalar(0.0, 1, NOW))
TWO_BEHIND = Standing(champion=9, reigned=(0, 2, 4, 9))


def test_what_an_adapter_said_can_age_with_its_successors_and_what_a_human_wrote_does_not() -> None:
    by_versions = replace_settings(half_life_versions=2.0)
    corrected = replace(AGED, scalar=None, correction=Target("by hand", 0.5, NOW, "bob"))
    target, response = rows_of(corrected, by_versions, NOW, standing=TWO_BEHIND)
    assert (target.versions_behind, response.versions_behind) == (0, 2)
    assert target.weight == pytest.approx(1.0)
    assert response.weight == pytest.approx(0.5)
    assert rows_of(corrected, REWARDS, NOW, standing=TWO_BEHIND)[1].weight == pytest.approx(1.0), "off by default"


def replace_settings(**changes: Any) -> RewardSettings:
    return RewardSettings.model_validate({**REWARDS.model_dump(), **changes})


@pytest.mark.parametrize(
    ("adapter", "limit", "superseded"),
    [("@v2", 1, True), ("@v2", 2, False), ("@v3", 1, True), ("@v4", 1, False), ("@v2", None, False),
     ("@v11", 1, False), ("", 1, False), ("@vx", 1, False)],
)  # fmt: skip
def test_what_was_wrong_with_an_adapter_of_long_ago_matters_no_more(
    adapter: str, limit: int | None, superseded: bool
) -> None:
    """Counted in champions: of the numbers between 4 and 9 none has reigned."""
    standing = replace(TWO_BEHIND, superseded_after=limit)
    disliked = replace(AGED, adapter=f"{AGED.task}{adapter}" if adapter else None)
    compared = replace(disliked, scalar=None, pairs=(Pair("yes", "no", False, NOW, None),))
    takes_all = [(FakeMethod("kto", lambda _row, _: True), None)]
    for one in (disliked, compared):
        rows = rows_of(one, REWARDS, NOW, standing=standing)
        assert route(rows, takes_all).no_method == ({"superseded": 1} if superseded else {})
    liked = rows_of(replace(disliked, scalar=Scalar(1.0, 1, NOW)), REWARDS, NOW, standing=standing)
    assert not route(liked, takes_all).no_method


def test_another_tasks_adapter_has_no_version_here() -> None:
    assert version_of("erd/acme@v7", "erd/acme") == 7
    assert version_of("other@v7", "erd") is version_of("erd", "erd") is version_of(None, "erd") is None
