"""Comparison (a): the loop one would write first, one event at a time, with the same scores and as durable.

Each event is validated by pydantic, scored, inserted and committed. It does less than adaptd: no join, no folds, no
dead letters, no retractions, no claim on its partition. Texts are compared by the `libraries` themselves (nltk's BLEU,
Levenshtein's ratio), which is what one would write and what defines the scores; or, as (a'), by the code of `adaptd`,
which gives the same numbers faster, so that what is left between the two is the loop alone.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from typing import Any

import Levenshtein
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from bench.intake.consuming import Pace, Stopwatch, consumer, tell
from consumers.events import wire
from consumers.similarity import SimilaritySettings, similarity

SCHEMA = """
CREATE TABLE event (id INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, interaction_id TEXT, kind TEXT NOT NULL,
                    user_id TEXT, signal REAL, record TEXT NOT NULL);
CREATE TABLE response (interaction_id TEXT PRIMARY KEY, text TEXT NOT NULL)
"""


Likeness = Callable[[str, str], float]  # of what was said to what was wanted, in [0, 1]


def run(servers: str, topic: str, count: int, path: str, scored_by: str) -> Pace:
    """The first `count` events of the topic into a new SQLite file; `scored_by` is one of SCORERS."""
    store = sqlite3.connect(path)
    store.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + SCHEMA)
    validate, likeness = wire().validate_json, SCORERS[scored_by]()
    made, seen, watch = consumer(servers, topic), 0, Stopwatch()
    for record in made:
        event: Any = validate(record.value)
        if event.kind == "interaction":
            store.execute("INSERT OR IGNORE INTO response VALUES (?, ?)", (event.interaction_id, event.response))
        values = (event.event_id, event.interaction_id, event.kind, event.user_id, _signal(event, store, likeness))
        store.execute(
            "INSERT OR IGNORE INTO event (event_id, interaction_id, kind, user_id, signal, record)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (*values, record.value.decode()),
        )
        store.commit()
        seen += 1
        if seen == count:
            break
    pace = watch.pace(seen)
    made.close()
    return pace


def _signal(event: Any, store: sqlite3.Connection, likeness: Likeness) -> float | None:
    """The same numbers as adaptd's (`consumers.signals`)."""
    if event.kind == "rating":
        return float((event.rating - event.scale.min) / (event.scale.max - event.scale.min))
    if event.kind == "thumb":
        return float(event.thumb == "up")
    if event.kind == "validation":
        return float(event.score)
    if event.kind == "correction":
        said = store.execute("SELECT text FROM response WHERE interaction_id = ?", (event.interaction_id,)).fetchone()
        return None if said is None else likeness(said[0], event.corrected)
    return 1.0 if event.kind in ("preference", "demonstration") else None


def _by_libraries() -> Likeness:
    smoothing = SmoothingFunction().method1

    def likeness(said: str, wanted: str) -> float:
        bleu = sentence_bleu([wanted.split()], said.split(), smoothing_function=smoothing, auto_reweigh=True)
        return 0.5 * Levenshtein.ratio(said, wanted) + 0.5 * float(bleu)

    return likeness


def _by_adaptd() -> Likeness:
    settings = SimilaritySettings()
    return lambda said, wanted: similarity(said, wanted, settings).value


SCORERS = {"libraries": _by_libraries, "adaptd": _by_adaptd}


if __name__ == "__main__":
    tell(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]))
