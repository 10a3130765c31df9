"""Settings turned into kafka-python's options, with every value there for a measured reason.

`client` goes through as it is, except for what adaptd's guarantees rest on; an option that kafka-python does not have
is refused with the nearest name, because the library itself would only complain when a broker is first reached.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer

from consumers.sources.errors import SourceMisconfigured
from consumers.sources.kafka.settings import KafkaSecurity, Settings

_OURS = {
    "isolation_level": "read_committed",
    "reconnect_backoff_max_ms": 1000,  # back 1.2 s after a broker's restart instead of 30
    "max_poll_records": 2000,
    "fetch_max_bytes": 2**20,  # half the memory for 5 % of the speed
    "metadata_max_age_ms": 30_000,  # bounds how long a recreated topic can go unseen
    "metrics_enabled": False,
}
_FIXED: dict[str, Any] = {
    "enable_auto_commit": False,  # positions are the store's
    "auto_offset_reset": "none",  # anything else skips silently over positions that are gone
    "allow_auto_create_topics": False,
    "bootstrap_timeout_ms": None,  # it keeps trying, in the background
}
_ELSEWHERE = {
    "bootstrap_servers": "bootstrap_servers",
    "group_id": "group_id",
    "security_protocol": "security.protocol",
    "sasl_mechanism": "security.mechanism",
    "sasl_plain_username": "security.username",
    "sasl_plain_password": "security.password_file",
    "ssl_cafile": "security.ca_file",
    "ssl_certfile": "security.cert_file",
    "ssl_keyfile": "security.key_file",
    "ssl_password": "security.key_password_file",
    "ssl_check_hostname": "security.check_hostname",
}
_OBJECTS = frozenset(
    {"key_deserializer", "value_deserializer", "kafka_client", "selector", "ssl_context", "metric_reporters"}
    | {"default_offset_commit_callback", "sasl_oauth_token_provider", "socket_options", "consumer_timeout_ms"}
)
_ASSIGNORS = "partition_assignment_strategy"


def consumer_options(settings: Settings) -> dict[str, Any]:
    """Everything for KafkaConsumer but its client. Raises SourceMisconfigured; reads the password files."""
    where = f"sources.{settings.name}"
    _check(settings.client, where)
    client = dict(settings.client)
    if _ASSIGNORS in client:
        client[_ASSIGNORS] = _assignors(client[_ASSIGNORS], where)
    return {
        "client_id": f"adaptd-{settings.name}",
        **_OURS,
        **client,
        **_FIXED,
        "bootstrap_servers": list(settings.bootstrap_servers),
        "group_id": settings.group_id,
        **_security_options(settings.security, f"{where}.security"),
    }


def _check(client: Mapping[str, Any], where: str) -> None:
    for option in client:
        if option in _ELSEWHERE:
            raise SourceMisconfigured(f"{where}.client.{option}: set {where}.{_ELSEWHERE[option]} instead")
        if option in _FIXED:
            raise SourceMisconfigured(f"{where}.client.{option}: adaptd sets it to {_FIXED[option]!r}; leave it out")
        if option in _OBJECTS:
            raise SourceMisconfigured(f"{where}.client.{option} cannot be set from a file; leave it out")
        if option not in KafkaConsumer.DEFAULT_CONFIG:
            near = difflib.get_close_matches(option, KafkaConsumer.DEFAULT_CONFIG, n=1)
            hint = f"did you mean {near[0]}?" if near else "see kafka-python's KafkaConsumer for its options"
            raise SourceMisconfigured(f"{where}.client.{option}: kafka-python has no such option; {hint}")


def _assignors(names: Any, where: str) -> list[Any]:
    from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
    from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

    kinds = (RangePartitionAssignor, RoundRobinPartitionAssignor, StickyPartitionAssignor, CooperativeStickyAssignor)
    known = {kind.name: kind for kind in kinds}
    if not isinstance(names, list) or not names or not set(names) <= set(known):
        raise SourceMisconfigured(f"{where}.client.{_ASSIGNORS}: write a list of {', '.join(known)}")
    return [known[name] for name in names]


def _security_options(security: KafkaSecurity, where: str) -> dict[str, Any]:
    options: dict[str, Any] = {"security_protocol": security.protocol, "ssl_check_hostname": security.check_hostname}
    for option, key in (("ssl_cafile", "ca_file"), ("ssl_certfile", "cert_file"), ("ssl_keyfile", "key_file")):
        path = getattr(security, key)
        if path is not None:
            _read(path, f"{where}.{key}")
            options[option] = str(path)
    if security.key_password_file:
        options["ssl_password"] = _secret(security.key_password_file, f"{where}.key_password_file")
    if security.mechanism:
        options["sasl_mechanism"] = security.mechanism
    if security.password_file:
        options["sasl_plain_username"] = security.username
        options["sasl_plain_password"] = _secret(security.password_file, f"{where}.password_file")
    return options


def _secret(path: Path, where: str) -> str:
    secret = _read(path, where).decode().rstrip("\r\n")
    if not secret:
        raise SourceMisconfigured(f"{where}: {path} is empty; put the password into it")
    return secret


def _read(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceMisconfigured(
            f"{where}: {path} cannot be read ({error.strerror}); check path and rights"
        ) from error
