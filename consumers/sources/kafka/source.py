"""The poll side of Kafka: joins the group, hands over records, and says what stands in the way.

Everything here runs on the poll thread but `health` and `lag`, which read single values that it leaves.
Limits: a topic that is deleted and created again between two fetches can go unseen for `metadata_max_age_ms` (30 s);
what is read of it meanwhile comes again under its own stream: doubled, and known by its `event_id`, but never missed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal

from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError

from consumers.sources.errors import SourceUnavailable
from consumers.sources.kafka.commits import Commits
from consumers.sources.kafka.connecting import Connecting
from consumers.sources.kafka.offsets import Offsets
from consumers.sources.kafka.options import consumer_options
from consumers.sources.kafka.partitions import Held, Partitions, RebalanceListener, label, silence
from consumers.sources.kafka.reasons import Reasons, explain_error
from consumers.sources.kafka.settings import Settings
from consumers.sources.kafka.topics import Topics
from consumers.sources.protocol import Clock, SourceHealth
from storage.records import Poll, Raw, Stream, StreamBatch

_JOIN_S = 5.0  # a join that completes outside the consumer's poll is thrown away: while joining, stay inside
_JOIN_SLICE_S = 0.25
_JOIN_LONGEST_S = 60.0  # a join that takes longer is worth a look
_CLAIM_POLL_S = 0.2  # while streams wait for their claim
_REFRESH_S = 5.0
_LAG_EVERY_S = 1.0
_RECOVERED_AFTER_S = 2.0  # no complaint for so long, and connected: the trouble is over
_CLOSE_TIMEOUT_MS = 3_000


class KafkaSource:
    """See `consumers.sources.protocol` for the order of calls."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        options = consumer_options(settings)
        self._servers = ", ".join(settings.bootstrap_servers)
        self._reasons = Reasons(options["client_id"])
        self._reasons.attach()
        self._connecting = Connecting(options)
        self._consumer: Any = None
        self._listener: Any = None
        self._topics: Any = None
        self._offsets: Any = None
        self._commits: Any = None
        self._partitions = Partitions()
        self._gaps: list[StreamBatch] = []
        self._paused = self._closed = False
        self._problem, self._stopped, self._note = "", "", ""
        self._lost_records = 0
        self._lag: int | None = None
        self._lag_at = 0.0

    # -- the protocol

    def poll(self, timeout_s: float) -> Poll:
        if self._consumer is None and not self._connect(timeout_s):
            return Poll()
        fetched = self._fetch(timeout_s)
        self._commits.send()
        self._take_news()
        self._drop_recreated()
        self._name_unnamed()
        self._partitions_said()
        batches = self._batches(fetched)
        self._measure(idle=not batches)
        waiting = tuple(held.stream for held in self._partitions.in_state("waiting"))
        return Poll(batches, waiting, self._partitions.take_lost())

    def start_of(self, stream: Stream) -> int:
        held = self._partitions.of_stream(stream)
        if held is None:
            raise SourceUnavailable(f"{stream.label} is not held any more")
        try:
            position: int = self._offsets.start(held.partition, self._settings.start)
            return position
        except KafkaError as error:
            raise SourceUnavailable(
                f"{stream.label}: its start cannot be asked now ({type(error).__name__})"
            ) from error

    def seek(self, stream: Stream, position: int) -> None:
        held = self._partitions.of_stream(stream)
        if held is None:
            return
        try:
            self._consumer.seek(held.partition, position)
            if not self._paused:
                self._consumer.resume(held.partition)
        except (KeyError, ValueError):
            return  # revoked meanwhile: the next poll says so
        held.state, held.position, held.reason = "flowing", position, ""
        self._partitions_said()
        self.committed({stream: position})

    def stop_stream(self, stream: Stream, reason: str) -> None:
        held = self._partitions.of_stream(stream)
        if held is not None:
            self._stop(held, reason)

    def pause(self) -> None:
        self._paused = True
        self._each_flowing("pause")

    def resume(self) -> None:
        self._paused = False
        self._each_flowing("resume")

    def committed(self, positions: Mapping[Stream, int]) -> None:
        for stream, position in positions.items():
            held = self._partitions.of_stream(stream)
            if held is not None:
                self._commits.add(held.partition, position, self._topics.mark(held.partition.topic))
        self._commits.send()

    def lag(self) -> int | None:
        return self._lag

    def health(self) -> SourceHealth:
        reasons = [reason for reason in (self._trouble(), self._problem, self._stopped) if reason]
        if reasons:
            return SourceHealth("degraded", "; ".join(reasons), self._lost_records)
        if self._consumer is None:
            return SourceHealth("degraded", f"connecting to {self._servers}", self._lost_records)
        if not self._listener.joined:
            return self._joining()
        return SourceHealth("paused" if self._paused else "polling", self._note, self._lost_records)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._connecting.cancel()
        consumer = self._consumer or self._connecting.consumer(0)
        if self._commits is not None:
            self._commits.finish(_CLOSE_TIMEOUT_MS)
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=_CLOSE_TIMEOUT_MS)
        self._reasons.detach()

    # -- connecting and fetching

    def _connect(self, timeout_s: float) -> bool:
        consumer = self._connecting.consumer(timeout_s)
        if consumer is None:
            return False
        self._listener = RebalanceListener(consumer)
        self._topics = Topics(consumer, self._connecting.client.cluster)
        self._offsets = Offsets(consumer, self._topics)
        self._commits = Commits(consumer)
        self._reasons.clear()
        consumer.subscribe(list(self._settings.topics), listener=self._listener)
        self._consumer = consumer
        return True

    def _fetch(self, timeout_s: float) -> Mapping[Any, list[Any]]:
        """One poll of the consumer. What it raises becomes a reason, and the next poll goes on."""
        if self._partitions.in_state("waiting") or self._partitions.unnamed:
            timeout_s = min(timeout_s, _CLAIM_POLL_S)
        try:
            fetched = self._poll_consumer(timeout_s)
        except OffsetOutOfRangeError as error:
            self._positions_gone(error.args[0])
        except LogTruncationError as error:
            self._truncated(error)
        except KafkaError as error:
            self._problem = explain_error(error, self._settings.group_id)
            time.sleep(min(timeout_s, 1.0))
        else:
            self._problem = ""
            return fetched
        return {}

    def _poll_consumer(self, timeout_s: float) -> Mapping[Any, list[Any]]:
        """Short slices without a gap while the group is being joined, so that an assignment is told at once."""
        deadline = time.monotonic() + max(timeout_s, _JOIN_S)
        fetched: Mapping[Any, list[Any]] = {}
        if self._listener.joined:
            fetched = self._poll_once(timeout_s)
        while not fetched and not self._listener.joined and time.monotonic() < deadline:
            fetched = self._poll_once(_JOIN_SLICE_S)
        return fetched

    def _poll_once(self, timeout_s: float) -> Mapping[Any, list[Any]]:
        """kafka-python 3.0 forgets a join that outlasts one poll, if this member leads the group and had assigned the
        partitions already: it never takes its own, sends no heartbeat, and polls on without a pause or an error. So it
        is reminded."""
        fetched: Mapping[Any, list[Any]] = self._consumer.poll(timeout_s * 1000)
        if self._consumer._coordinator.rejoining:  # changes within `poll` alone
            self._consumer._coordinator.request_rejoin()
        return fetched

    def _batches(self, fetched: Mapping[Any, list[Any]]) -> tuple[StreamBatch, ...]:
        batches, self._gaps = self._gaps, []
        now = self._clock()
        for partition, records in fetched.items():
            held = self._partitions.of(partition)
            if held is None or held.state != "flowing":
                continue  # not ours to hand over: it is read again from its claim
            raws = tuple(Raw(r.value or b"", r.offset, now, _headers(r.headers)) for r in records)
            after = raws[-1].position + 1  # never `first + n`: transactions leave gaps
            batches.append(StreamBatch(held.stream, held.position, after, raws))
            held.position = after
        return tuple(batches)

    # -- what the group gives and takes

    def _take_news(self) -> None:
        for what, partitions in self._listener.take_news():
            for partition in sorted(partitions):
                self._partitions.drop(partition)
                self._commits.forget(partition)
                if what == "assigned":
                    silence(self._consumer, partition)  # again: a seek may have slipped in between
                    self._partitions.unnamed.add(partition)

    def _name_unnamed(self) -> None:
        for partition in sorted(self._partitions.unnamed):
            try:
                stream = self._topics.stream(partition)
            except KafkaError:
                return  # asked again at the next poll
            if stream is not None:
                self._partitions.add(partition, stream)

    def _drop_recreated(self) -> None:
        """A topic deleted and created again goes on at the old number without any error; its id tells."""
        for held in self._partitions:
            if self._topics.is_other(held.partition, held.stream):
                self._note = f"topic {held.partition.topic} was deleted and created again: it is read from its start"
                self._topics.recreated(held.partition.topic)
                self._partitions.drop(held.partition)
                silence(self._consumer, held.partition)
                self._partitions.unnamed.add(held.partition)

    # -- positions that are gone

    def _positions_gone(self, positions: Mapping[Any, int]) -> None:
        """Kafka no longer has these positions, unless the topic is another one by now."""
        self._topics.refresh(_REFRESH_S)
        for partition, position in positions.items():
            held = self._partitions.of(partition)
            if held is None or self._topics.is_other(partition, held.stream):
                continue
            try:
                first = self._offsets.first(partition)
            except KafkaError:
                continue  # the next poll raises it again
            if position < first:
                self._records_gone(held, position, first)
            else:
                self._stop(held, _past_the_end(position))

    def _records_gone(self, held: Held, position: int, first: int) -> None:
        self._lost_records += first - position
        words = f"{first - position} records ({position} to {first - 1}) were deleted before they were read"
        if self._settings.gone == "stop":
            self._stop(
                held,
                f"{words}; to go on at the oldest one left, set `gone: earliest` on source {self.name} and restart; "
                "to lose none, raise the topic's retention",
            )
            return
        self._note = f"{label(held.partition)}: {words}; went on at {first}"
        self._gaps.append(StreamBatch(held.stream, held.position, first, ()))
        self._consumer.seek(held.partition, first)
        held.position = first

    def _truncated(self, error: Any) -> None:
        """An unclean election cut the log below where we had read."""
        for partition in getattr(error, "divergent_offsets", None) or error.args[0]:
            held = self._partitions.of(partition)
            if held is not None:
                self._stop(held, _past_the_end(held.position))

    def _stop(self, held: Held, reason: str) -> None:
        held.state, held.reason = "stopped", reason
        silence(self._consumer, held.partition)
        self._partitions_said()

    # -- what is said

    def _each_flowing(self, verb: str) -> None:
        for held in self._partitions.in_state("flowing"):
            try:
                getattr(self._consumer, verb)(held.partition)
            except KeyError:
                continue  # revoked meanwhile

    def _partitions_said(self) -> None:
        """One string, replaced whole, so that `health` can read it from another thread."""
        stopped = [
            f"{label(held.partition)} is stopped: {held.reason}" for held in self._partitions.in_state("stopped")
        ]
        missing = [topic for topic in self._settings.topics if self._listener.joined and self._topics.missing(topic)]
        absent = [f"there is no topic {topic}: create it, or correct `topics`" for topic in missing]
        self._stopped = "; ".join(stopped + absent)

    def _joining(self) -> SourceHealth:
        """A group waits for members that died until their session is over."""
        seconds = time.monotonic() - self._listener.left_at
        state: Literal["polling", "degraded"] = "degraded" if seconds > _JOIN_LONGEST_S else "polling"
        return SourceHealth(
            state, f"joining group {self._settings.group_id}, for {seconds:.0f} s so far", self._lost_records
        )

    def _trouble(self) -> str:
        words = self._connecting.tls or self._reasons.trouble() or self._connecting.error
        return f"no connection to {self._servers}: {words}" if words else ""

    def _measure(self, *, idle: bool) -> None:
        if self._reasons.trouble() and (not idle or self._is_well()):
            self._reasons.clear()
        now = time.monotonic()
        if now - self._lag_at >= _LAG_EVERY_S:
            flowing = (held.partition for held in self._partitions.in_state("flowing"))
            self._lag, self._lag_at = self._offsets.lag(flowing), now

    def _is_well(self) -> bool:
        return self._reasons.quiet_s() > _RECOVERED_AFTER_S and self._topics.connected(self._connecting.client)


def _headers(pairs: list[tuple[str, bytes | None]]) -> dict[str, bytes]:
    """Of a repeated header the last one counts; one without a value is empty."""
    return {name: value or b"" for name, value in pairs} if pairs else {}


def _past_the_end(position: int) -> str:
    return (
        f"position {position} is past the end of the partition: its log was cut, or restored from an older copy. New "
        "records there would be taken for ones already stored; move the feed to a new topic"
    )
