"""The batch out of the pool: quotas first, the rest by lot, caps always."""

from datetime import UTC, datetime

from learners.hooks.contract import PoolExample, Selection
from learners.selection import choose
from storage.records import Origin

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def example(number: int, user: int | None = None, weight: float = 1.0) -> PoolExample:
    users = () if user is None else (user,)
    return PoolExample(Origin(str(number), 1), users, weight, ())


POOL = [example(at, user=at % 5, weight=1.0 - at / 100) for at in range(20)]


def wish(*places: int, most: int) -> Selection:
    return Selection(places, most, ())


def test_without_a_wish_the_weighty_are_taken_rather_than_the_light() -> None:
    pool = [example(at, user=at % 5, weight=1.0 if at < 10 else 1e-9) for at in range(20)]
    assert set(choose(pool, {}, budget=10, cap=6, min_users=1, seed=1).places) == set(range(10))


def test_every_seed_draws_its_own_lots_and_the_same_again() -> None:
    first, again, other = (choose(POOL, {}, budget=6, cap=6, min_users=1, seed=seed).places for seed in (1, 1, 2))
    assert first == again
    assert set(first) != set(other)


def test_a_quota_is_filled_before_somebody_takes_the_rest() -> None:
    wishes = {"everything": wish(*range(10, 20), most=6), "quota": wish(7, 8, 9, most=2)}
    chosen = choose(POOL, wishes, budget=6, cap=6, min_users=1, seed=1)
    first = chosen.places[0]
    assert chosen.places[1:] == (*(7, 8), *[at for at in range(10, 20) if at != first][:3])
    assert chosen.by == {"openers": (first,), "quota": (7, 8), "everything": chosen.places[3:]}


def test_what_nobody_chose_is_filled_up_by_lot() -> None:
    drawn = choose(POOL, {}, budget=4, cap=4, min_users=1, seed=1).places
    chosen = choose(POOL, {"quota": wish(19, most=3)}, budget=4, cap=4, min_users=1, seed=1)
    assert chosen.places == (drawn[0], 19, *drawn[1:3])


def test_the_cap_holds_whoever_chooses() -> None:
    wishes = {"one user's": wish(0, 5, 10, 15, most=4)}
    chosen = choose(POOL, wishes, budget=8, cap=2, min_users=1, seed=1)
    assert sum(POOL[place].users == (0,) for place in chosen.places) == 2
    assert len(chosen.places) == 8


def test_examples_without_a_user_count_as_one_users() -> None:
    pool = [example(at) for at in range(6)]
    assert len(choose(pool, {"all": wish(*range(6), most=6)}, budget=6, cap=2, min_users=1, seed=1).places) == 2


def test_a_batch_opens_with_an_example_of_each_of_the_users_it_must_have() -> None:
    pool = [example(at, user=0) for at in range(8)] + [example(8, user=1, weight=0.1), example(9, user=2, weight=0.2)]
    chosen = choose(pool, {"one user's": wish(*range(8), most=8)}, budget=5, cap=5, min_users=3, seed=1)
    assert {user for place in chosen.places for user in pool[place].users} == {0, 1, 2}


def test_a_place_is_taken_once() -> None:
    chosen = choose(POOL, {"a": wish(3, 3, 4, most=3), "b": wish(4, 3, most=2)}, budget=20, cap=20, min_users=1, seed=1)
    assert sorted(chosen.places) == list(range(20))
