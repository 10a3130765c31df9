"""One champion a line; promotion only over the champion that was judged against (I4)."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from storage import registry
from storage.errors import UnknownAdapter
from storage.records import Adapter
from storage.store import Store
from storage.tables import reign
from tests.storage.makers import NOW, later


def candidate(version: int, task: str = "erd", base_hash: str = "base") -> Adapter:
    return Adapter(
        f"{task}@v{version}", task, version, base_hash, f"{task}@v{version - 1}", None, NOW, "candidate",
        directory=f"{task}/v{version}", files={"a.safetensors": "00"}, manifest={"seed": 1},
    )  # fmt: skip


def line_with(store: Store, *versions: int) -> None:
    store.write(lambda tx: registry.ensure_line(tx, "erd", "base", NOW))
    for version in versions:
        store.write(lambda tx, version=version: registry.add_candidate(tx, candidate(version)))  # type: ignore[misc]


def promote(store: Store, name: str, against: str) -> bool:
    return store.write(lambda tx: registry.promote(tx, "erd", name, against, later(1)))


def put(store: Store, *names: str) -> None:
    """Promoted by hand, one after the other."""
    for name in names:
        store.write(lambda tx, name=name: registry.set_champion(tx, "erd", name, later(3), "promoted by hand"))  # type: ignore[misc]


def roll_back(store: Store) -> str:
    """To where it leads, as the command does it; returns the new champion."""
    to = store.read(lambda tx: registry.previous_champion(tx, "erd"))
    assert to is not None
    reason = f"{registry.ROLLED_BACK}{to.name}"
    return store.write(lambda tx: registry.set_champion(tx, "erd", to.name, later(5), reason)).champion


def champion(store: Store) -> str | None:
    found = store.read(lambda tx: registry.line_of(tx, "erd"))
    return found.champion if found else None


def states(store: Store) -> dict[str, str]:
    return {one.name: one.state for one in store.read(lambda tx: registry.list_adapters(tx, "erd"))}


def test_a_new_line_begins_with_the_bare_base_and_is_made_once(store: Store) -> None:
    first = store.write(lambda tx: registry.ensure_line(tx, "erd", "base", NOW))
    assert store.write(lambda tx: registry.ensure_line(tx, "erd", "base", later(9))) == first
    assert first.champion == "erd@v0"
    base = store.read(lambda tx: registry.get_adapter(tx, "erd@v0"))
    assert base is not None
    assert (base.state, base.directory, base.files, base.parent) == ("champion", None, {}, None)
    assert store.read(lambda tx: registry.next_version(tx, "erd")) == 1
    assert store.read(lambda tx: registry.next_version(tx, "sql")) == 0


def test_an_adapter_comes_back_as_it_was_registered(store: Store) -> None:
    line_with(store, 1)
    assert store.read(lambda tx: registry.get_adapter(tx, "erd@v1")) == candidate(1)


def test_a_version_is_registered_once(store: Store) -> None:
    line_with(store, 1)
    with pytest.raises(IntegrityError):
        store.write(lambda tx: registry.add_candidate(tx, candidate(1)))


def test_promotion_replaces_the_champion_that_was_judged_against(store: Store) -> None:
    line_with(store, 1)
    assert promote(store, "erd@v1", "erd@v0")
    assert champion(store) == "erd@v1"
    assert states(store) == {"erd@v0": "retired", "erd@v1": "champion"}


def test_promotion_over_a_champion_that_has_gone_changes_nothing(store: Store) -> None:
    line_with(store, 1, 2)
    assert promote(store, "erd@v1", "erd@v0")
    assert not promote(store, "erd@v2", "erd@v0")
    assert states(store) == {"erd@v0": "retired", "erd@v1": "champion", "erd@v2": "candidate"}


def test_only_a_candidate_of_the_task_can_be_promoted(store: Store) -> None:
    line_with(store, 1)
    store.write(lambda tx: registry.reject(tx, "erd@v1"))
    with pytest.raises(UnknownAdapter, match="rejected"):
        promote(store, "erd@v1", "erd@v0")
    with pytest.raises(UnknownAdapter, match="erd@v0, erd@v1"):
        promote(store, "erd@v9", "erd@v0")


def test_rolling_back_leads_past_what_never_reigned_and_ends_at_the_base(store: Store) -> None:
    line_with(store, 1, 2, 3)
    promote(store, "erd@v1", "erd@v0")
    store.write(lambda tx: registry.reject(tx, "erd@v2"))
    promote(store, "erd@v3", "erd@v1")
    assert [roll_back(store), roll_back(store)] == ["erd@v1", "erd@v0"]
    assert champion(store) == "erd@v0"
    assert store.read(lambda tx: registry.previous_champion(tx, "erd")) is None
    assert states(store)["erd@v3"] == "retired"


def test_rolling_back_an_old_version_that_was_promoted_by_hand_leads_to_the_newer_one_before_it(store: Store) -> None:
    line_with(store, 1, 7)
    put(store, "erd@v1", "erd@v7", "erd@v1")
    assert [roll_back(store) for _ in range(3)] == ["erd@v7", "erd@v1", "erd@v0"]


def test_what_was_rolled_back_is_not_come_back_to(store: Store) -> None:
    line_with(store, 11, 12, 13, 14)
    put(store, "erd@v11", "erd@v12", "erd@v13")
    assert [roll_back(store), roll_back(store)] == ["erd@v12", "erd@v11"]
    promote(store, "erd@v14", "erd@v11")
    assert [roll_back(store), roll_back(store)] == ["erd@v11", "erd@v0"]


def test_what_was_rolled_back_and_promoted_again_is_come_back_to(store: Store) -> None:
    line_with(store, 1, 2)
    put(store, "erd@v1")
    roll_back(store)
    put(store, "erd@v1", "erd@v2")
    assert roll_back(store) == "erd@v1"


def test_a_reign_does_not_say_that_somebody_judged(store: Store) -> None:
    """The gate may be off; what it found, where it was asked, is with the verdict."""
    line_with(store, 1)
    promote(store, "erd@v1", "erd@v0")
    reasons = store.read(lambda tx: tx.execute(select(reign.c.reason).order_by(reign.c.id)).scalars().all())
    assert reasons == ["the bare base", "promoted over erd@v0"]


def test_setting_the_champion_that_reigns_changes_nothing(store: Store) -> None:
    line_with(store)
    before = store.read(lambda tx: registry.line_of(tx, "erd"))
    assert store.write(lambda tx: registry.set_champion(tx, "erd", "erd@v0", later(5), "by hand")) == before


def test_an_adapter_of_another_task_cannot_reign(store: Store) -> None:
    line_with(store)
    store.write(lambda tx: registry.ensure_line(tx, "sql", "base", NOW))
    with pytest.raises(UnknownAdapter):
        store.write(lambda tx: registry.set_champion(tx, "erd", "sql@v0", NOW, "by hand"))


def test_the_champion_cannot_be_rejected(store: Store) -> None:
    line_with(store)
    with pytest.raises(UnknownAdapter):
        store.write(lambda tx: registry.reject(tx, "erd@v0"))


def test_a_changed_base_begins_a_line_of_its_own_and_the_old_one_stays(store: Store) -> None:
    line_with(store, 1)
    promote(store, "erd@v1", "erd@v0")
    second = store.write(lambda tx: registry.ensure_line(tx, "erd", "new base", later(60)))
    assert second.champion == "erd@v2"
    assert champion(store) == "erd@v2"
    assert [one.champion for one in store.read(registry.list_lines)] == ["erd@v1", "erd@v2"]


def test_a_task_without_a_line_has_no_champion(store: Store) -> None:
    assert champion(store) is None
    assert store.read(lambda tx: registry.previous_champion(tx, "erd")) is None
