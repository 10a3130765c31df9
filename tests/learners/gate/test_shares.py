"""No user weighs more than a share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.gate.shares import cap_shares, newest_fairly


def shares_of(weights: list[float], users: list[str | None]) -> dict[str | None, float]:
    total = sum(weights)
    return {user: sum(w for w, u in zip(weights, users, strict=True) if u == user) / total for user in set(users)}


def test_a_loud_user_is_brought_down_to_the_share() -> None:
    users = ["loud"] * 100 + ["a", "b", "c", "d", "e", "f"]
    capped = cap_shares([1.0] * 106, list(users), 0.2)
    assert shares_of(capped, list(users))["loud"] == pytest.approx(0.2)
    assert capped[100:] == [1.0] * 6


def test_nobody_is_touched_within_the_share() -> None:
    users: list[str | None] = ["a", "b", "c", "d", "e", "f"]
    assert cap_shares([1.0] * 6, users, 0.2) == [1.0] * 6
    assert cap_shares([1.0] * 3, ["a", "a", "b"], 1.0) == [1.0] * 3


def test_fewer_users_than_the_share_allows_hold_as_much_each() -> None:
    capped = cap_shares([5.0, 1.0, 1.0], ["a", "b", "c"], 0.2)
    assert capped == pytest.approx([1, 1, 1])


def test_rows_without_a_user_count_as_one_user_together() -> None:
    users = [None] * 50 + ["a", "b", "c", "d"]
    assert shares_of(cap_shares([1.0] * 54, users, 0.25), users)[None] == pytest.approx(0.25)


@given(
    st.lists(
        st.tuples(st.just(0.0) | st.floats(1e-6, 10), st.sampled_from([None, *"abcdefgh"])), min_size=1, max_size=60
    ),
    st.floats(0.05, 1),
)
def test_no_weight_grows_and_no_share_is_passed(rows: list[tuple[float, str | None]], share: float) -> None:
    weights, users = [row[0] for row in rows], [row[1] for row in rows]
    capped = cap_shares(weights, users, share)
    assert all(0 <= after <= before for before, after in zip(weights, capped, strict=True))
    if sum(capped) > 0:
        heavy = len({user for weight, user in rows if weight > 0})
        assert max(shares_of(capped, users).values()) <= max(share, 1 / heavy) + 1e-6


def test_a_flood_does_not_push_others_out_of_the_places() -> None:
    users: list[str | None] = [*["loud"] * 50, *["a", "b", "c", "d"] * 3]
    chosen = newest_fairly(users, 10, 0.2)
    assert chosen == [0, 1, 50, 51, 52, 53, 54, 55, 56, 57]


def test_places_that_nobody_else_can_take_go_to_the_newest() -> None:
    assert newest_fairly(["a"] * 30, 10, 0.2) == list(range(10))
    assert newest_fairly([None, "a"], 10, 0.2) == [0, 1]
    assert newest_fairly([], 10, 0.2) == []


def test_a_prompt_takes_a_second_place_only_after_every_other_has_one() -> None:
    prompts = [*["popular"] * 20, "a", "b", "c"]
    users: list[str | None] = [f"u{at}" for at in range(23)]
    assert newest_fairly(users, 5, 0.2, prompts) == [0, 1, 20, 21, 22]
    assert newest_fairly(users, 5, 0.2) == [0, 1, 2, 3, 4]
