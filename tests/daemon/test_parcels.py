"""Parcels that wait together: put together only where one claim guards the whole as it would guard the parts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import daemon.intake_loop
from daemon.intake import Outcome, Parcel
from daemon.intake_loop import IntakeLoop
from daemon.parcels import together
from daemon.polling import Committed
from storage.records import Claim
from tests.daemon.desk import OTHER, STREAM, Desk, batch, raws, wire
from tests.services.waiting import wait_until

HELD = Claim(STREAM, 0, 1)
NAMES = [f"e{number}" for number in range(9)]


def parcel(before: int, *names: str, claim: Claim = HELD) -> Parcel:
    return Parcel("kafka", ((batch(claim.stream, before, [wire(name) for name in names]), claim),))


def test_what_goes_on_without_a_gap_becomes_one_batch() -> None:
    found = together(parcel(0, "a", "b"), parcel(2, "c"))
    assert found == parcel(0, "a", "b", "c")


def test_other_streams_stand_beside_it() -> None:
    other = parcel(7, "c", claim=Claim(OTHER, 7, 1))
    found = together(parcel(0, "a"), other)
    assert found is not None
    assert found.batches == (*parcel(0, "a").batches, *other.batches)


def test_a_gap_a_new_claim_and_another_source_stay_apart() -> None:
    first = parcel(0, "a")
    assert together(first, parcel(2, "b")) is None
    assert together(first, parcel(0, "a")) is None
    assert together(first, parcel(1, "b", claim=replace(HELD, epoch=2))) is None
    assert together(first, replace(parcel(1, "b"), source="other")) is None
    assert together(first, replace(parcel(1, "b"), trusted_apps=frozenset({"shop"}))) is None
    assert together(first, replace(parcel(1, "b"), default_task="erd")) is None


def test_loose_records_keep_their_order() -> None:
    one, other = raws([wire("a")]), raws([wire("b")])
    assert together(Parcel("http", loose=one), Parcel("http", loose=other)) == Parcel("http", loose=one + other)


@given(st.sets(st.integers(1, len(NAMES) - 1)))
def test_however_a_stream_was_cut_it_is_whole_again(cuts: set[int]) -> None:
    parts = [parcel(start, *NAMES[start:end]) for start, end in pairwise([0, *sorted(cuts), len(NAMES)])]
    whole: Parcel | None = parts[0]
    for part in parts[1:]:
        assert whole is not None
        whole = together(whole, part)
    assert whole == parcel(0, *NAMES)


def test_under_a_claim_that_is_void_nothing_of_the_whole_is_stored(desk: Desk) -> None:
    claim = desk.take(STREAM)
    whole = together(parcel(0, "a", claim=claim), parcel(1, "b", claim=claim))
    assert whole is not None
    desk.take(STREAM)
    assert desk.intake.ingest(whole).stale == [STREAM]
    assert (desk.event_ids(), desk.position(STREAM)) == (set(), 0)


class Noted:
    """What an intake thread needs of a poll loop."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    def note(self, note: Any) -> None:
        self.notes.append(note)


def recording(recorded: list[Parcel]) -> IntakeLoop:
    """An intake thread that only notes what it would record."""

    class Recording:
        def ingest(self, parcel: Parcel) -> Outcome:
            recorded.append(parcel)
            return Outcome()

    return IntakeLoop(Recording(), observe=lambda _parcel, _outcome: None)  # type: ignore[arg-type]


def test_the_intake_thread_records_what_waits_from_one_source_at_once_and_in_order() -> None:
    recorded: list[Parcel] = []
    one, other = Noted(), Noted()
    thread = recording(recorded)
    elsewhere = replace(parcel(0, "x"), source="other")
    for loop, waiting in ((one, parcel(0, "a")), (one, parcel(1, "b")), (other, elsewhere), (one, parcel(2, "c"))):
        assert thread.offer(loop, waiting)  # type: ignore[arg-type]
    thread.start()
    wait_until(lambda: len(recorded) == 3, 30, "all of it to be recorded")
    thread.stop()
    thread.join(30)
    assert recorded == [parcel(0, "a", "b"), elsewhere, parcel(2, "c")]
    assert one.notes == [Committed({STREAM: 2}), Committed({STREAM: 3})]


@pytest.mark.parametrize(
    ("bound", "value"), [("TOGETHER_RECORDS", 3), ("TOGETHER_BYTES", 3 * len(raws([wire("a")])[0].data))]
)
def test_no_more_is_added_to_what_is_large_already(monkeypatch: pytest.MonkeyPatch, bound: str, value: int) -> None:
    monkeypatch.setattr(daemon.intake_loop, bound, value)
    recorded: list[Parcel] = []
    thread, one = recording(recorded), Noted()
    for place, name in enumerate("abcde"):
        assert thread.offer(one, parcel(place, name))  # type: ignore[arg-type]
    thread.start()
    wait_until(lambda: len(recorded) == 2, 30, "all of it to be recorded")
    thread.stop()
    thread.join(30)
    assert recorded == [parcel(0, "a", "b", "c"), parcel(3, "d", "e")]
