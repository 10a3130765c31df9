"""`adaptd replay`: recorded events sent again, to the daemon's HTTP door, to Kafka, or straight into the store.

Events go out in the order of the files, in bounded requests; what each became is counted as the receiver says it.
`--times shift-to-now` moves all times by one amount, so that the newest event is now: a recording that is years old
would otherwise weigh nothing.
"""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal, Protocol

import httpx

from daemon.actions.context import Context
from daemon.errors import Denied, Unreachable, UsageError
from daemon.intake import Intake, Parcel
from storage.records import Raw

Times = Literal["original", "shift-to-now"]
CHUNK = 500
CHUNK_BYTES = 4 * 2**20  # half of what a daemon takes at once by default
TIMEOUT_S = 60.0
KAFKA_TIMEOUT_MS = 10_000
TRIES = 5


@dataclass
class ReplayReport:
    """What became of what was sent. To Kafka nothing but `sent` is known here."""

    sent: int = 0
    stored: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    refused: int = 0  # larger than the daemon takes
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def none_taken(self) -> bool:
        """Whether events were sent and not one of them could be, as far as is known here."""
        return self.dead_letters + self.refused > 0 and self.stored + self.duplicates == 0

    def add(self, stored: int, duplicates: int, reasons: Sequence[str]) -> None:
        self.stored += stored
        self.duplicates += duplicates
        self.dead_letters += len(reasons)
        for reason in reasons:
            self.reasons[reason] = self.reasons.get(reason, 0) + 1


class Receiver(Protocol):
    """Takes one bounded list of events and adds what became of them to the report."""

    def __call__(self, events: Sequence[bytes], report: ReplayReport) -> None: ...


def replay(
    files: Sequence[Path],
    receiver: Receiver,
    *,
    task: str | None,
    times: Times,
    speed: float | None,
    now: datetime,
    advance: Callable[[int], None] = lambda _count: None,
) -> ReplayReport:
    """`speed` 1 keeps the pace of the recording, 60 makes a minute a second, None sends as fast as it is taken."""
    shift = now - newest(files) if times == "shift-to-now" else timedelta(0)
    report = ReplayReport()
    for chunk in _chunks(_prepared(files, task, shift), speed):
        receiver(chunk, report)
        report.sent += len(chunk)
        advance(len(chunk))
    return report


def count(files: Sequence[Path]) -> int:
    """How many events the files hold, for the progress bar."""
    return sum(1 for _ in _lines(files))


def newest(files: Sequence[Path]) -> datetime:
    """The latest time in the files. Raises UsageError where no event has a readable one."""
    found = [at for at in (_time_of(line) for line in _lines(files)) if at is not None]
    if not found:
        raise UsageError("--times shift-to-now: no event in these files has a readable occurred_at")
    return max(found)


def _lines(files: Sequence[Path]) -> Iterator[bytes]:
    for path in files:
        try:
            with _open(path) as file:
                yield from (line for line in file if line.strip())
        except FileNotFoundError:
            raise UsageError(f"{path}: there is no such file") from None
        except (OSError, EOFError, zlib.error) as error:
            raise UsageError(f"{path}: cannot be read: {error}") from None


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as probe:
        zipped = probe.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def _time_of(line: bytes) -> datetime | None:
    event = _object(line)
    return _time(event.get("occurred_at")) if event is not None else None


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _time(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo else None


def _prepared(files: Sequence[Path], task: str | None, shift: timedelta) -> Iterator[bytes]:
    """Lines with the task and the shifted time put in; a line that cannot be read goes on as it is, to be refused."""
    for line in _lines(files):
        event = _object(line) if task is not None or shift else None
        yield line.rstrip(b"\r\n") if event is None else _changed(event, task, shift)


def _changed(event: dict[str, Any], task: str | None, shift: timedelta) -> bytes:
    if task is not None and event.get("task") is None:
        event["task"] = task
    at = _time(event.get("occurred_at"))
    if shift and at is not None:
        event["occurred_at"] = (at + shift).isoformat()
    return json.dumps(event).encode()  # in ASCII, so that what must be refused (a lone surrogate) arrives as it is


def _chunks(events: Iterable[bytes], speed: float | None) -> Iterator[list[bytes]]:
    """Bounded lists; with a speed, one event at a time at the recording's pace."""
    waiting: list[bytes] = []
    size_bytes, before = 0, None
    for event in events:
        if speed is not None:
            before = _pace(event, before, speed)
        waiting.append(event)
        size_bytes += len(event)
        if speed is not None or len(waiting) >= CHUNK or size_bytes >= CHUNK_BYTES:
            yield waiting
            waiting, size_bytes = [], 0
    if waiting:
        yield waiting


def _pace(event: bytes, before: datetime | None, speed: float) -> datetime | None:
    at = _time_of(event)
    if at is not None and before is not None:
        time.sleep(max(0.0, (at - before).total_seconds() / speed))
    return at or before


@contextmanager
def to_http(url: str) -> Iterator[Receiver]:
    """Sends to a running daemon; waits and sends again while it is full, which is always safe.

    Raises Unreachable where none answers, Denied where it takes no events over HTTP.
    """
    with httpx.Client(base_url=url.rstrip("/"), timeout=TIMEOUT_S, trust_env=False) as client:
        _greet(client, url)
        yield partial(_send, client)


def _greet(client: httpx.Client, url: str) -> None:
    try:
        client.get("/healthz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(f"no daemon answers at {url} ({type(error).__name__}); is `adaptd run` running?") from None


def _send(client: httpx.Client, events: Sequence[bytes], report: ReplayReport) -> None:
    answer = _post(client, b"\n".join(events))
    if answer.status_code == 413 and len(events) > 1:
        half = len(events) // 2
        _send(client, events[:half], report)
        _send(client, events[half:], report)
    elif answer.status_code == 413:
        report.refused += 1
    else:
        found = answer.json()
        report.add(found["stored"], found["duplicates"], [letter["reason"] for letter in found["dead_letters"]])


def _post(client: httpx.Client, body: bytes) -> httpx.Response:
    reason = ""
    for attempt in range(TRIES):
        try:
            answer = client.post("/v1/events", content=body, headers={"content-type": "application/x-ndjson"})
        except httpx.HTTPError as error:
            reason = type(error).__name__
        else:
            if answer.status_code in (200, 413, 422):
                return answer
            if answer.status_code == 403:
                raise Denied(str(answer.json()["error"]))
            reason = f"{answer.status_code}: {answer.text[:200]}"
            if answer.status_code not in (429, 503):
                break
        time.sleep(2**attempt * 0.2)
    raise Unreachable(f"the daemon did not take the events ({reason}); run it again, what was stored stays stored once")


def to_store(context: Context, task: str | None) -> Receiver:
    """Writes into the store itself; only where no daemon holds it."""
    intake = Intake(context.store, context.config, context.clock)

    def send(events: Sequence[bytes], report: ReplayReport) -> None:
        now = context.clock()
        raws = tuple(Raw(data=data, position=index, received_at=now) for index, data in enumerate(events))
        outcome = intake.ingest(Parcel(source="replay", loose=raws, default_task=task))
        report.add(outcome.stored, outcome.duplicates, [reason for _, reason in outcome.dead_letters])

    return send


@contextmanager
def to_kafka(bootstrap_servers: str, topic: str) -> Iterator[Receiver]:
    """Produces one message an event, keyed by interaction, and waits until the broker has each list.

    Without idempotence, because that producer wedges for good when a batch expires; a message sent twice is a
    duplicate to adaptd and does no harm. Raises Unreachable.
    """
    from kafka import KafkaProducer  # a quarter second that no other command needs
    from kafka.errors import KafkaError

    try:
        producer = KafkaProducer(
            bootstrap_servers=bootstrap_servers.split(","),
            bootstrap_timeout_ms=KAFKA_TIMEOUT_MS,
            acks="all",
            enable_idempotence=False,
        )
    except (KafkaError, ValueError) as error:  # ValueError: an address that is none
        raise Unreachable(f"no Kafka broker answers at {bootstrap_servers} ({type(error).__name__})") from None
    try:
        yield partial(_produce, producer, topic)
    finally:
        producer.close()


def _produce(producer: Any, topic: str, events: Sequence[bytes], _report: ReplayReport) -> None:
    from kafka.errors import KafkaError

    try:
        for future in [producer.send(topic, value=event, key=_key_of(event)) for event in events]:
            future.get(timeout=TIMEOUT_S)
    except KafkaError as error:
        raise Unreachable(f"Kafka did not take an event for {topic} ({type(error).__name__}); run it again") from None


def _key_of(event: bytes) -> bytes | None:
    found = (_object(event) or {}).get("interaction_id")
    return found.encode(errors="replace") if isinstance(found, str) else None
