"""One run of the intake's kill test: a topic, a producer that never stops for a death, and a daemon that dies often.

Now and then a stranger is in the consumer group when the daemon starts, and leaves when the daemon has begun to catch
up: its partitions are given out anew while it has records in flight. Small polls make many of them.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from storage import intake
from storage.store import Store
from tests.services.kafka import KafkaBroker
from tests.soak.daemons import DAEMON, PATIENCE_S, Daemon, free_port, poll_until
from tests.soak.traffic import TASK, Sent, Traffic

PARTITIONS = 4
GROUP = "soak"
SESSION_MS = 3000  # a killed member is missed after so long
QUIET_S = 45.0  # nothing came for so long: what is missing by then is lost
EARLY_SHARE = 0.25  # of the kills come after a moment that begins with the start, the others after some progress
CONFIG = """\
sources:
  - {{type: kafka, bootstrap_servers: [{servers}], topics: [{topic}], group_id: {group},
     client: {{session_timeout_ms: {session_ms}, heartbeat_interval_ms: 500, max_poll_records: 100}}}}
storage: {{url: "sqlite:///adaptd.db", artifacts: ./artifacts}}
api: {{port: {port}}}
tasks: {{{task}: {{}}}}
"""


@dataclass(frozen=True)
class Plan:
    """How often and how hard; the same seed kills at the same moments, as far as a machine can repeat itself."""

    kills: int
    seed: int
    strangers: int = 1  # how often somebody else joins the group for a moment
    module: str = DAEMON
    rate_per_s: int = 200  # what a busy machine can still keep up with
    life_s: tuple[float, float] = (0.0, 2.0)  # how long a daemon lives, at least and at most, after it has begun


@dataclass(frozen=True)
class Figures:
    """What was sent, and what the store holds in the end."""

    kills: int
    early: int  # of them while it started, or soon after
    sent: int
    in_topic: int
    good: int
    again: int
    bad: int
    rows: int
    ids: int
    missing: int  # good ones sent that are not stored
    strange: int  # ids stored that are no good event's
    twice_read: int  # rows that share topic position with another
    twice_sent: int  # rows that share their id with another, at other positions
    interactions: int
    examples: int  # joined
    letters: int
    received: int
    stored: int
    duplicates: int
    dead_letters: int
    positions: int
    seconds: int

    def faults(self) -> list[str]:
        """What does not agree; empty when nothing was lost or doubled."""
        pairs = (
            ("in_topic", "sent"),
            ("rows", "good"),
            ("ids", "good"),
            ("examples", "interactions"),
            ("letters", "bad"),
            ("received", "sent"),
            ("stored", "good"),
            ("duplicates", "again"),
            ("dead_letters", "bad"),
            ("positions", "in_topic"),
        )
        found = [
            f"{have} is {getattr(self, have)}, {want} is {getattr(self, want)}"
            for have, want in pairs
            if getattr(self, have) != getattr(self, want)
        ]
        nothing = ("missing", "strange", "twice_read", "twice_sent")
        return found + [f"{name} is {getattr(self, name)}" for name in nothing if getattr(self, name)]

    def table(self) -> str:
        return "\n".join(f"  {each.name:14}{getattr(self, each.name):>8}" for each in fields(self))


def run_with_kills(broker: KafkaBroker, folder: Path, plan: Plan) -> Figures:
    """The whole run; the daemon is stopped in good order at its end."""
    began = time.monotonic()
    topic, port = broker.create_topic(partitions=PARTITIONS), free_port()
    servers = ", ".join(broker.bootstrap_servers)
    config = CONFIG.format(
        servers=servers, topic=topic, group=f"{GROUP}-{topic}", session_ms=SESSION_MS, port=port, task=TASK
    )
    (folder / "adaptd.yaml").write_text(config)
    moments, early = random.Random(plan.seed), 0
    with Daemon(folder, port, roles="intake,api", module=plan.module) as daemon:
        with _sending(broker, topic, plan) as traffic:
            for kill in range(plan.kills):
                if _due(kill, plan):
                    with _strange_member(broker, topic):
                        _begin_to_take_in(daemon)
                elif moments.random() < EARLY_SHARE:
                    early += 1
                    daemon.start()
                else:
                    _begin_to_take_in(daemon)
                time.sleep(moments.uniform(*plan.life_s))
                daemon.kill()
        daemon.start()
        _read_all(daemon, traffic.sent.records)
        assert daemon.stop() == 0, daemon.last_words()
    ends = sum(_ends(broker, topic).values())
    with Store.open_readonly(f"sqlite:///{folder / 'adaptd.db'}") as store:
        counted = store.read(lambda tx: _count(tx, traffic.sent))
    return Figures(kills=daemon.kills, early=early, in_topic=ends, seconds=round(time.monotonic() - began), **counted)


def _due(kill: int, plan: Plan) -> bool:
    """Strangers come evenly spread over the kills."""
    return kill * plan.strangers // plan.kills != (kill + 1) * plan.strangers // plan.kills


def _begin_to_take_in(daemon: Daemon) -> None:
    """Start it, and return when it has stored something more than the last one had."""
    daemon.start()
    at_start: list[int] = []

    def took_in() -> bool:
        status = daemon.status()
        if status is None:
            return False
        at_start.append(status["events"]["received"])
        return at_start[-1] > at_start[0]

    poll_until(took_in, "the daemon to take events in", lambda: f"{daemon.status()}\n{daemon.last_words()}")


def _read_all(daemon: Daemon, expected: int) -> None:
    """Until all is read, or nothing comes any more."""
    seen, since = -1, time.monotonic()

    def done() -> bool:
        nonlocal seen, since
        status = daemon.status()
        received = status["events"]["received"] if status else seen
        if received != seen or status is None:
            seen, since = received, time.monotonic()
        return received >= expected or (received > 0 and time.monotonic() - since > QUIET_S)

    poll_until(done, "the daemon to read to the end", daemon.last_words, patience_s=5 * PATIENCE_S)


@contextmanager
def _sending(broker: KafkaBroker, topic: str, plan: Plan) -> Iterator[Traffic]:
    """A thread that sends at a steady rate; when the block ends, all that it sent is in the topic."""
    traffic, enough, troubles = Traffic(plan.seed), threading.Event(), list[BaseException]()

    def send() -> None:
        try:
            _send(broker, topic, traffic, plan.rate_per_s, enough)
        except BaseException as error:
            troubles.append(error)

    thread = threading.Thread(target=send, name="sending")
    thread.start()
    try:
        yield traffic
    finally:
        enough.set()
        thread.join()
    if troubles:
        raise troubles[0]


def _send(broker: KafkaBroker, topic: str, traffic: Traffic, rate_per_s: int, enough: threading.Event) -> None:
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks="all", linger_ms=5)
    try:
        answers: list[Any] = []
        records, began = traffic.records(), time.monotonic()
        while not enough.is_set():
            for _ in range(int((time.monotonic() - began) * rate_per_s) - len(answers)):
                key, value = next(records)
                answers.append(producer.send(topic, key=key, value=value))
            enough.wait(0.02)
        for answer in answers:
            answer.get(60)
    finally:
        producer.close()


@contextmanager
def _strange_member(broker: KafkaBroker, topic: str) -> Iterator[None]:
    """Somebody else in the daemon's group, who holds partitions for a while without keeping anything, and leaves."""
    from kafka import KafkaConsumer

    stranger = KafkaConsumer(
        topic,
        bootstrap_servers=broker.bootstrap_servers,
        group_id=f"{GROUP}-{topic}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=500,
        max_poll_records=1,
    )
    leave = threading.Event()

    def stay() -> None:
        while not leave.is_set():  # a join that completes between two polls is thrown away: so, long ones at first
            stranger.poll(timeout_ms=250 if stranger.assignment() else 5000)
        stranger.close(autocommit=False)

    thread = threading.Thread(target=stay, name="stranger")
    thread.start()
    try:
        poll_until(lambda: bool(stranger.assignment()) or not thread.is_alive(), "the stranger to be given partitions")
        yield
    finally:
        leave.set()
        thread.join()


def _ends(broker: KafkaBroker, topic: str) -> dict[int, int]:
    from kafka import KafkaConsumer, TopicPartition

    consumer: Any = KafkaConsumer(bootstrap_servers=broker.bootstrap_servers)
    try:
        found = consumer.end_offsets([TopicPartition(topic, number) for number in range(PARTITIONS)])
        return {partition.partition: int(end) for partition, end in found.items()}
    finally:
        consumer.close()


def _count(tx: Connection, sent: Sent) -> dict[str, int]:
    def number(query: str) -> int:
        return int(tx.execute(text(query)).scalar_one())

    ids = {event_id for (event_id,) in tx.execute(text("SELECT DISTINCT event_id FROM event"))}
    rows = number("SELECT count(*) FROM event")
    places = number("SELECT count(*) FROM (SELECT DISTINCT stream_id, position FROM event)")
    totals = intake.totals(tx)
    return {
        "sent": sent.records,
        "good": len(sent.good),
        "again": sent.again,
        "bad": sent.bad,
        "rows": rows,
        "ids": len(ids),
        "missing": len(sent.good - ids),
        "strange": len(ids - sent.good),
        "twice_read": rows - places,
        "twice_sent": places - len(ids),
        "interactions": len(sent.interactions),
        "examples": number("SELECT count(*) FROM example WHERE revision IS NOT NULL"),
        "letters": number("SELECT count(*) FROM dead_letter"),
        "received": totals.received,
        "stored": totals.stored,
        "duplicates": totals.duplicates,
        "dead_letters": totals.dead_letters,
        "positions": number("SELECT coalesce(sum(position), 0) FROM stream"),
    }
