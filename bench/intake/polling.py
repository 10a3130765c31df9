"""Comparison (b): poll with kafka-python and validate with pydantic; nothing is scored, joined or kept."""

from __future__ import annotations

import sys

from bench.intake.consuming import Pace, Stopwatch, consumer, polls, tell
from consumers.events import wire


def run(servers: str, topic: str, count: int) -> Pace:
    """Poll as adaptd does (its fetch settings), validate each record against the wire's models."""
    validate = wire().validate_json
    made = consumer(servers, topic, max_poll_records=2000, fetch_max_bytes=2**20)
    seen, watch = 0, Stopwatch()
    for records in polls(made, count):
        for record in records:
            validate(record.value)
        seen += len(records)
    pace = watch.pace(seen)
    made.close()
    return pace


if __name__ == "__main__":
    tell(run(sys.argv[1], sys.argv[2], int(sys.argv[3])))
