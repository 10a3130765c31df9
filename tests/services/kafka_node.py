"""What a Kafka node needs before it can start: its folder with settings and certificate, formatted by Kafka's own tool.

One node is broker and controller at once, replicates nothing, and has short sessions, so that tests need not wait for
what a cluster would take its time over. The running broker is in `kafka.py`.
"""

from __future__ import annotations

import base64
import subprocess
import uuid
from pathlib import Path

from tests.services.kafka_jars import KafkaUnavailable, jars, java

SCRAM_USER, SCRAM_PASSWORD = "adaptd", "right-password"
_STORE_PASSWORD = "changeit"
_JVM = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m"]

_LOG4J = """<Configuration>
<Appenders><Console name="out"><PatternLayout pattern="%d %p %m (%c)%n"/></Console></Appenders>
<Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


class KafkaNode:
    """The folder of a node on these loopback ports: `plain` for clients, `controller` for itself, and, where it is
    `secured`, a SASL_SSL listener. `settings` win over ours. Raises KafkaUnavailable."""

    def __init__(
        self, directory: Path, ports: tuple[int, int, int], *, secured: bool, settings: dict[str, str]
    ) -> None:
        self._directory = directory
        self._plain, self._controller, self._sasl = ports
        self._secured = secured
        self._classpath = f"{jars()}/*"
        self._write_config(settings)
        self._format()

    @property
    def ca_file(self) -> Path:
        """Of the certificate that the secured listener shows."""
        return self._directory / "ca.pem"

    @property
    def client_ports(self) -> list[int]:
        return [self._plain, self._sasl] if self._secured else [self._plain]

    def command(self) -> list[str]:
        """Runs the node, in its folder."""
        return self._java("kafka.Kafka", "server.properties")

    def _java(self, *arguments: str) -> list[str]:
        log4j = f"-Dlog4j2.configurationFile={self._directory / 'log4j2.xml'}"
        return [java(), *_JVM, log4j, "-cp", self._classpath, *arguments]

    def _format(self) -> None:
        cluster = uuid.uuid4().bytes
        scram = ["--add-scram", f"SCRAM-SHA-512=[name={SCRAM_USER},password={SCRAM_PASSWORD}]"] if self._secured else []
        arguments = ["kafka.tools.StorageTool", "format", "-t", _kafka_uuid(cluster), "-c", "server.properties"]
        _check(self._java(*arguments, *scram), self._directory)

    def _write_config(self, settings: dict[str, str]) -> None:
        (self._directory / "log4j2.xml").write_text(_LOG4J)
        if self._secured:
            _make_certificate(self._directory)
        lines = {**self._settings(), **(self._secured_settings() if self._secured else {}), **settings}
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        (self._directory / "server.properties").write_text(text)

    def _settings(self) -> dict[str, str]:
        return {
            "node.id": "1",
            "process.roles": "broker,controller",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{self._plain},CONTROLLER://127.0.0.1:{self._controller}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self._directory / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "broker.session.timeout.ms": "1500",  # else a restart after kill -9 waits 9 s for the old registration
            "broker.heartbeat.interval.ms": "300",
            "group.min.session.timeout.ms": "1000",
            "log.initial.task.delay.ms": "500",
            "log.retention.check.interval.ms": "500",
            "log.segment.delete.delay.ms": "100",
        }

    def _secured_settings(self) -> dict[str, str]:
        return {
            "listeners": f"{self._settings()['listeners']},SASL_SSL://127.0.0.1:{self._sasl}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.location": str(self._directory / "keys.p12"),
            "ssl.keystore.password": _STORE_PASSWORD,
        }


def _kafka_uuid(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=").replace("-", "A", 1)  # it must not begin with a dash


def _make_certificate(directory: Path) -> None:
    """A self-signed certificate for 127.0.0.1 in `keys.p12`, and as PEM in `ca.pem`, by the JDK's own keytool."""
    store = ["-keystore", "keys.p12", "-storetype", "PKCS12", "-storepass", _STORE_PASSWORD, "-alias", "broker"]
    names = ["-dname", "CN=127.0.0.1", "-ext", "SAN=IP:127.0.0.1,DNS:localhost", "-ext", "BC=ca:true"]
    _check([java("keytool"), "-genkeypair", "-keyalg", "EC", "-validity", "30", *store, *names], directory)
    _check([java("keytool"), "-exportcert", "-rfc", "-file", "ca.pem", *store], directory)


def _check(command: list[str], directory: Path) -> None:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise KafkaUnavailable(f"{' '.join(command[-4:])} failed:\n{done.stdout}{done.stderr}")
