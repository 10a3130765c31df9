"""The main promise of intake: in which order, how often and in what pieces events arrive leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, select

from daemon.config import Config
from daemon.intake import Intake, Parcel
from storage.dialects import sqlite
from storage.records import Example, codec
from storage.store import Store
from storage.tables import event, example
from tests.daemon.desk import NOW, raws, wire


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A prepared store that is only ever written in transactions that are undone."""
    path = tmp_path_factory.mktemp("property") / "adaptd.db"
    Store.open(f"sqlite:///{path}").close()
    engine = sqlite.writer(path)
    yield engine
    engine.dispose()


class Undone:
    """As much of a store as intake needs, inside one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def write(self, step: Any, *, size_bytes: int = 0) -> Any:
        with self._tx.begin_nested():
            return step(self._tx)


def settle(engine: Engine, chunks: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[dict[str, Example], dict[str, Any]]:
    """The examples that come of it, and the signals of the stored events."""
    config = Config.model_validate({"tasks": {"erd": {}}})
    with engine.connect() as connection, connection.begin() as outer:
        intake = Intake(Undone(connection), lambda: config, lambda: NOW)  # type: ignore[arg-type]
        for chunk in chunks:
            intake.ingest(Parcel("http", loose=raws(chunk)))
        rows = connection.execute(select(example.c.record).where(example.c.record.is_not(None))).all()
        scored = connection.execute(select(event.c.event_id, event.c.signal, event.c.signal_edit)).all()
        outer.rollback()
    examples = (codec.from_json(Example, row.record) for row in rows)
    return {each.interaction_id: each for each in examples}, {row.event_id: tuple(row)[1:] for row in scored}


@st.composite
def stories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Events about few interactions by few users at few times, so that they meet."""
    few = st.integers(0, 2)
    kinds = ["interaction", "rating", "thumb", "validation", "correction", "preference", "demonstration", "retraction"]
    found: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 9))):
        kind = draw(st.sampled_from(kinds))
        fields: dict[str, Any] = {
            "interaction_id": f"i{draw(few)}",
            "user_id": draw(st.sampled_from(["u0", "u1", None])),
            "occurred_at": f"2026-11-01T10:0{draw(few)}:00Z",
        }
        if kind == "retraction":
            target = (
                {"event_id": f"e{draw(st.integers(0, 8))}"}
                if draw(st.booleans())
                else {"interaction_id": f"i{draw(few)}"}
            )
            fields |= {"retracts": target}
            fields |= {"interaction_id": None} if draw(st.booleans()) else {}
        elif kind == "rating":
            fields |= {"rating": draw(st.integers(1, 5)), "criterion": draw(st.sampled_from([None, "tone"]))}
        elif kind in ("correction", "demonstration"):
            text = {"correction": "corrected", "demonstration": "demonstrated"}[kind]
            fields |= {text: f"erDiagram\n  A{draw(few)} {{}}"}
        elif kind != "interaction" and draw(st.booleans()):
            fields |= {"interaction_id": None, "prompt": f"Draw {draw(few)}.", "response": f"erDiagram {draw(few)}"}
        found.append(wire(f"e{number}", kind, **fields))
    return found


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """A story, and the same events in another order, some twice, in chunks."""
    story = draw(stories())
    again = draw(st.lists(st.sampled_from(story), max_size=3))
    order = draw(st.permutations([*story, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=4)))
    bounds = [0, *cuts, len(order)]
    return story, [list(order[start:end]) for start, end in pairwise(bounds)]


@settings(max_examples=120)
@given(arrivals())
def test_any_order_and_any_chunking_make_the_same_examples(
    engine: Engine, drawn: tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]
) -> None:
    story, chunks = drawn
    assert settle(engine, chunks) == settle(engine, [story])


def test_the_property_would_notice_an_order_that_counts(engine: Engine) -> None:
    """The first of two with one id stays: a conflict is the one thing that arrival decides."""
    one, two = wire("e", rating=1), wire("e", rating=5)
    assert settle(engine, [[one, two]]) != settle(engine, [[two, one]])
