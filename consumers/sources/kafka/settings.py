"""How to reach Kafka and what to read there; secrets only as files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BeforeValidator, TypeAdapter, ValidationError, model_validator

from consumers.sources.protocol import SourceSettings
from storage.records.settings import Settings as BaseSettings
from storage.records.settings import setting


def _start(value: Any) -> Any:
    if value in ("earliest", "latest"):
        return value
    try:
        return TypeAdapter(AwareDatetime).validate_python(value)
    except ValidationError:
        raise ValueError("write earliest, latest, or a time with its zone such as 2026-11-21T08:00:00Z") from None


Start = Annotated[Literal["earliest", "latest"] | datetime, BeforeValidator(_start)]


class KafkaSecurity(BaseSettings):
    """Encryption and login. Passwords are read from files when the source is opened."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = setting(
        "PLAINTEXT", doc="Kafka's security.protocol.", live=False
    )
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI"] | None = setting(
        None, doc="How to log in, with SASL_PLAINTEXT or SASL_SSL.", live=False
    )
    username: str | None = setting(None, doc="The user, for PLAIN and SCRAM.", live=False)
    password_file: Path | None = setting(None, doc="File with the user's password, for PLAIN and SCRAM.", live=False)
    ca_file: Path | None = setting(None, doc="PEM file of the authority that signed the brokers.", live=False)
    cert_file: Path | None = setting(None, doc="PEM file of this client's certificate.", live=False)
    key_file: Path | None = setting(None, doc="PEM file of this client's key.", live=False)
    key_password_file: Path | None = setting(None, doc="File with the key's password.", live=False)
    check_hostname: bool = setting(True, doc="Whether the certificate must name the broker's host.", live=False)

    @model_validator(mode="after")
    def _complete(self) -> KafkaSecurity:
        if self.protocol.startswith("SASL_") != (self.mechanism is not None):
            raise ValueError("`mechanism` goes with protocol SASL_PLAINTEXT or SASL_SSL, and those need it")
        if self.mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512") and not (self.username and self.password_file):
            raise ValueError(f"mechanism {self.mechanism} needs `username` and `password_file`")
        return self


class Settings(SourceSettings):
    """`{type: kafka, bootstrap_servers: [localhost:9092], topics: [feedback], group_id: adaptd}`."""

    type: Literal["kafka"] = setting("kafka", doc="Topics of Apache Kafka 2.8 or newer.", live=False)
    bootstrap_servers: tuple[str, ...] = setting(doc="Brokers to ask first, as host:port.", live=False, min_length=1)
    topics: tuple[str, ...] = setting(doc="The topics to read.", live=False, min_length=1)
    group_id: str = setting("adaptd", doc="Daemons of one group share the partitions.", live=False, min_length=1)
    start: Start = setting(
        "earliest",
        doc="Where a partition's first claim begins: earliest, latest or a time; one added later begins at earliest.",
        live=False,
    )
    gone: Literal["stop", "earliest"] = setting(
        "stop",
        doc="When records were deleted before they were read: stop that partition, or go on at the oldest one left; "
        "the loss is counted either way.",
        live=False,
    )
    security: KafkaSecurity = setting(KafkaSecurity(), doc="Encryption and login.", live=False)
    client: dict[str, Any] = setting(
        {}, doc="Further options of kafka-python's KafkaConsumer, as they are.", live=False
    )
