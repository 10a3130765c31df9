"""Asks a Kafka source's broker a question and goes away again: is it there, does it let us in, are the topics there?

Joins no group, so that it disturbs no daemon that reads the same topics.
"""

from __future__ import annotations

import os
import time

from kafka.errors import KafkaError

from consumers.sources.kafka.connecting import Connecting
from consumers.sources.kafka.options import consumer_options
from consumers.sources.kafka.reasons import Reasons
from consumers.sources.kafka.settings import Settings

_SLICE_S = 0.25
_CLOSE_TIMEOUT_MS = 2_000
_VAGUE_TIMES = 3  # so much longer it waits, where a later try may say why


def why_unreachable(settings: Settings, timeout_s: float) -> str:
    """Empty when all is well; else what is wrong and what to do. Raises SourceMisconfigured."""
    client_id = f"adaptd-doctor-{os.getpid()}-{settings.name}"
    options = {**consumer_options(settings), "client_id": client_id, "group_id": None}
    reasons = Reasons(client_id)
    reasons.attach()
    connecting = Connecting(options)
    try:
        return _ask(settings, connecting, reasons, timeout_s)
    finally:
        connecting.cancel()
        if (consumer := connecting.consumer(0)) is not None:
            consumer.close(autocommit=False, timeout_ms=_CLOSE_TIMEOUT_MS)
        reasons.detach()


def _ask(settings: Settings, connecting: Connecting, reasons: Reasons, timeout_s: float) -> str:
    servers = ", ".join(settings.bootstrap_servers)
    began = time.monotonic()
    while (consumer := connecting.consumer(_SLICE_S)) is None:
        patience_s = timeout_s * (_VAGUE_TIMES if reasons.vague else 1)
        if time.monotonic() - began > patience_s:
            words = connecting.tls or reasons.trouble() or connecting.error or f"no answer within {timeout_s:g} s"
            return f"no connection to {servers}: {words}"
    try:
        missing = sorted(set(settings.topics) - set(consumer.topics()))
    except KafkaError as error:
        return f"{servers} answers, but does not tell its topics ({type(error).__name__})"
    return f"there is no topic {', '.join(missing)}: create it, or correct `topics`" if missing else ""
