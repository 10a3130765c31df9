"""A process that takes in records as fast as it can, made to be killed: `python -m tests.storage.victim URL`.

Record number n of the stream is the event `e<n>` on interaction `i<n // 3>`; batches are of one to forty records.
"""

from __future__ import annotations

import random
import sys

from sqlalchemy import Connection

from storage import intake
from storage.records import Claim
from storage.store import Store
from tests.storage.makers import NOW, STREAM, example, rating


def record(tx: Connection, claim: Claim, before: int, after: int) -> None:
    if not intake.advance(tx, claim, before, after):
        raise SystemExit("lost the claim, though nobody else is there")
    numbers = range(before, after)
    events = [rating(f"e{n}", f"i{n // 3}", received_at=NOW) for n in numbers]
    keys = sorted({(one.task, one.interaction_id) for one in events})
    locked = intake.lock_interactions(tx, keys)
    inserted = intake.insert_events(tx, locked, events, [(STREAM.key, n) for n in numbers])
    joined = intake.events_of(tx, keys, inserted.stored, locked.new)
    intake.save_examples(tx, [example(name, revision=len(found)) for (_, name), found in joined.items()], {})
    intake.count(tx, STREAM, received=len(events), stored=len(inserted.stored))


def main(url: str) -> None:
    store = Store.open(url)
    claim = store.write(lambda tx: intake.take(tx, STREAM, 0))
    position, sizes = claim.position, random.Random(claim.epoch)
    print("ready", flush=True)
    while True:
        after = position + sizes.randint(1, 40)
        store.write(lambda tx, before=position, after=after: record(tx, claim, before, after))  # type: ignore[misc]
        position = after


if __name__ == "__main__":
    main(sys.argv[1])
