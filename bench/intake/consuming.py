"""What the two loops that adaptd is compared with have in common: the topic from its start, and what they report."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from bench.reporting import ROOT

SILENT_S = 30.0  # a topic that should hold more and gives nothing for so long is a fault
CHILD_LIMIT_S = 3600


@dataclass(frozen=True, slots=True)
class Pace:
    """How long so many events took: by the clock, and of this process's CPU time."""

    events: int
    seconds: float
    cpu_s: float

    @property
    def per_second(self) -> float:
        return self.events / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU time an event."""
        return self.cpu_s / self.events * 1e6


class Stopwatch:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._began_s, self._began_cpu_s = time.perf_counter(), time.process_time()

    def pace(self, events: int) -> Pace:
        return Pace(events, time.perf_counter() - self._began_s, time.process_time() - self._began_cpu_s)


def consumer(servers: str, topic: str, **options: Any) -> Any:
    """A consumer of the whole topic, at its start. No group: what is measured is reading."""
    made = KafkaConsumer(bootstrap_servers=servers.split(","), enable_auto_commit=False, **options)
    partitions = [TopicPartition(topic, number) for number in sorted(made.partitions_for_topic(topic))]
    made.assign(partitions)
    made.seek_to_beginning(*partitions)
    return made


def polls(made: Any, count: int) -> Iterator[list[Any]]:
    """The records of each poll, until `count` have come in all (the last poll may bring more)."""
    seen, deadline = 0, time.monotonic() + SILENT_S
    while seen < count:
        found = [record for records in made.poll(1000).values() for record in records]
        if found:
            seen, deadline = seen + len(found), time.monotonic() + SILENT_S
            yield found
        elif time.monotonic() > deadline:
            raise RuntimeError(f"the topic gave {seen} of {count} events and then nothing for {SILENT_S:.0f} s")


def in_child(module: str, *arguments: str) -> Pace:
    """Run a loop as a process of its own. Raises RuntimeError with its last words when it fails."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=CHILD_LIMIT_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{module} failed:\n{done.stderr[-2000:]}")
    return Pace(**json.loads(done.stdout.splitlines()[-1]))


def tell(pace: Pace) -> None:
    """The child's answer."""
    print(json.dumps(asdict(pace)))
