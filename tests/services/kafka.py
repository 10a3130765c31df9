"""A real Apache Kafka (one KRaft node, loopback only) for tests, benchmarks and scripts.

Why: rebalances, gone positions and kill -9 cannot be learned from a fake. As a fixture: `kafka` (running again before
each test, whatever the one before did to it). From a script: `with KafkaBroker() as broker: broker.create_topic()`.
Without Java or Maven the fixture skips, saying what to install; with `CI=true` it fails.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import pytest

from tests.services.kafka_jars import KafkaUnavailable
from tests.services.kafka_node import KafkaNode
from tests.services.waiting import wait_until

_START_TIMEOUT_S = 120.0


class KafkaBroker:
    """One broker on free loopback ports; its data outlives `kill` and `stop`, until `close`.

    `secured` adds a SASL_SSL listener (`secured_servers`) with SCRAM-SHA-512 and the user SCRAM_USER, whose
    certificate is signed by `ca_file`.
    """

    def __init__(self, *, secured: bool = False, settings: dict[str, str] | None = None) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="adaptd-kafka-"))
        self._ports = _free_ports()
        self._process: subprocess.Popen[bytes] | None = None
        self._admin_client: Any = None
        self._producer: Any = None
        try:
            self._node = KafkaNode(self._directory, self._ports, secured=secured, settings=settings or {})
        except BaseException:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise

    # -- life

    @property
    def bootstrap_servers(self) -> list[str]:
        return [f"127.0.0.1:{self._ports[0]}"]

    @property
    def secured_servers(self) -> list[str]:
        return [f"127.0.0.1:{self._ports[2]}"]

    @property
    def ca_file(self) -> Path:
        return self._node.ca_file

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it (again, on the same data and ports) and returns when its port answers."""
        if self.running:
            return
        with (self._directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(self._node.command(), cwd=self._directory, stdout=log, stderr=log)
        wait_until(self._answers, _START_TIMEOUT_S, "the broker to answer", self._log_tail)

    def stop(self) -> None:
        """SIGTERM: hands over cleanly."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: the crash."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """Ends it and throws its data away."""
        self._close_clients()
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> KafkaBroker:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # -- use

    def create_topic(self, name: str | None = None, *, partitions: int = 1, **config: str) -> str:
        """A topic with a leader for each partition; without a name, a fresh one."""
        name = name or f"feedback-{uuid.uuid4().hex[:8]}"
        self._admin().create_topics(
            {name: {"num_partitions": partitions, "replication_factor": 1, "configs": config}}, wait_for_metadata=True
        )
        return name

    def delete_topic(self, name: str) -> None:
        """Deletes a topic and returns when the broker no longer lists it."""
        self._admin().delete_topics([name])
        self._forget_producer()
        wait_until(lambda: name not in self._admin().list_topics(), 10, "the topic to be gone")

    def add_partitions(self, name: str, total: int) -> None:
        self._admin().create_partitions({name: total})
        self._admin().wait_for_topics([name])
        self._forget_producer()

    def delete_records(self, name: str, partition: int, before: int) -> None:
        """What retention does, at once: records below `before` are gone."""
        from kafka import TopicPartition

        self._admin().delete_records({TopicPartition(name, partition): before})

    def produce(
        self,
        topic: str,
        values: Iterable[bytes],
        *,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        timestamp_ms: int | None = None,
    ) -> list[int]:
        """Sends records, waits until the broker has each, and returns their positions."""
        producer = self._producing()
        sent = [
            producer.send(topic, value, partition=partition, headers=list(headers), timestamp_ms=timestamp_ms)
            for value in values
        ]
        return [int(future.get(30).offset) for future in sent]

    def committed(self, group_id: str, topic: str) -> dict[int, int]:
        """What lag tools see: partition to committed position; nothing before the group has committed."""
        from kafka.errors import CoordinatorNotAvailableError

        try:
            listed = self._admin().list_group_offsets({group_id: None})
        except CoordinatorNotAvailableError:
            return {}
        return {tp.partition: int(at.offset) for tp, at in listed[group_id].items() if tp.topic == topic}

    def members(self, group_id: str) -> int:
        """How many consumers the group has now."""
        return len(self._admin().describe_groups([group_id])[group_id]["members"])

    # -- inside

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            if self.running:
                self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def _answers(self) -> bool:
        if not self.running:
            raise KafkaUnavailable(f"the broker ended while starting:\n{self._log_tail()}")
        return all(_listens(port) for port in self._node.client_ports)

    def _log_tail(self) -> str:
        log = self._directory / "server.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""

    def _admin(self) -> Any:
        if self._admin_client is None:
            from kafka import KafkaAdminClient

            self._admin_client = KafkaAdminClient(
                bootstrap_servers=self.bootstrap_servers, reconnect_backoff_max_ms=500
            )
        return self._admin_client

    def _producing(self) -> Any:
        """Not idempotent: that one wedges for good when a batch expires while the broker is away."""
        if self._producer is None:
            from kafka import KafkaProducer

            self._producer = KafkaProducer(
                bootstrap_servers=self.bootstrap_servers,
                acks="all",
                enable_idempotence=False,
                linger_ms=5,
                reconnect_backoff_max_ms=500,
            )
        return self._producer

    def _forget_producer(self) -> None:
        """Its picture of the topics is old."""
        if self._producer is not None:
            self._producer.close()
        self._producer = None

    def _close_clients(self) -> None:
        self._forget_producer()
        if self._admin_client is not None:
            self._admin_client.close()
        self._admin_client = None


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_ports() -> tuple[int, int, int]:
    probes = [socket.socket() for _ in range(3)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        plain, controller, sasl = (int(probe.getsockname()[1]) for probe in probes)
    finally:
        for probe in probes:
            probe.close()
    return plain, controller, sasl


def give_up(error: KafkaUnavailable) -> NoReturn:
    """A visible skip on a laptop, a failure where `CI=true`."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs a real Kafka: {error}")
    pytest.skip(f"no real Kafka here: {error}")


@pytest.fixture(scope="session")
def kafka_session() -> Iterator[KafkaBroker]:
    """One broker for the whole run, with both listeners."""
    try:
        broker = KafkaBroker(secured=True)
    except KafkaUnavailable as error:
        give_up(error)
    with broker:
        yield broker


@pytest.fixture
def kafka(kafka_session: KafkaBroker, caplog: pytest.LogCaptureFixture) -> Iterator[KafkaBroker]:
    """The broker, running."""
    kafka_session.start()
    yield kafka_session
    for phase in ("setup", "call"):
        caplog.get_records(phase).clear()  # they hold errors, and those hold sockets
    gc.collect()  # the client's leftovers go while this test's filter stands, not in the middle of another test


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """kafka-python leaves the sockets of failed connections to the garbage collector."""
    for item in items:
        if item.get_closest_marker("kafka"):
            item.add_marker(
                pytest.mark.filterwarnings("ignore:unclosed <(ssl.SSLSocket|socket.socket) :ResourceWarning")
            )
