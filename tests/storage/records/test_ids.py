"""Ids are UUIDv7, by RFC 9562."""

from __future__ import annotations

from uuid import RFC_4122, UUID

from storage.records.ids import new_id


def test_an_id_is_a_uuid_of_version_seven() -> None:
    made = UUID(new_id())
    assert (made.version, made.variant) == (7, RFC_4122)


def test_an_id_begins_with_its_milliseconds() -> None:
    assert new_id(at_s=0x017F22E279B0 / 1000).startswith("017f22e2-79b0-7")  # the example of RFC 9562, appendix A.6


def test_ids_sort_by_time() -> None:
    made = [new_id(at_s=1_700_000_000 + at) for at in range(50)]
    assert sorted(made) == made


def test_ids_of_one_moment_differ() -> None:
    assert len({new_id(at_s=1_700_000_000) for _ in range(10_000)}) == 10_000
