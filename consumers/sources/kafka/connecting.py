"""A consumer that connects in the background for as long as it takes.

Why a thread: kafka-python's constructor waits for the broker, and the poll thread must go on answering. The client
inside is kept at hand, because a constructor that gives up leaves its network thread running, and because it tells
topic ids, which the consumer keeps to itself.
"""

from __future__ import annotations

import threading
from typing import Any

from kafka import KafkaConsumer
from kafka.net.compat import KafkaNetClient

from consumers.sources.kafka import tls

_RETRY_S = 2.0
_TLS_AFTER_S, _TLS_EVERY_S, _TLS_TIMEOUT_S = 4.0, 30.0, 3.0
_JOIN_S = 3.0


class Connecting:
    """Started when made; `consumer(timeout_s)` waits for it; `cancel` ends it."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._done, self._cancelled = threading.Event(), threading.Event()
        self._settled = threading.Event()  # one of the two
        self._consumer: Any = None
        self.client: Any = None
        self.error = ""
        self.tls = ""  # why a connection in the clear cannot work, once that is known
        self._guard = threading.Lock()  # of closing: the client's loop raises when it is closed twice
        self._thread = threading.Thread(target=self._run, name=f"kafka-connect-{options['client_id']}", daemon=True)
        self._thread.start()
        if not options["security_protocol"].endswith("SSL"):
            threading.Thread(target=self._look_for_tls, name="kafka-tls", daemon=True).start()

    def consumer(self, timeout_s: float) -> Any:
        """The KafkaConsumer, or None while there is no broker."""
        return self._consumer if self._done.wait(timeout_s) else None

    def cancel(self) -> None:
        """Gives up and waits a little for the thread, which cleans up after itself."""
        self._cancelled.set()
        self._settled.set()
        with self._guard:
            if not self._done.is_set() and self.client is not None:
                self.client._manager.close()  # ends the attempt; `client.close()` would take the loop from under it
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while not self._cancelled.is_set():
            try:
                self._consumer = KafkaConsumer(**self._options, kafka_client=self._make_client)
            except Exception as error:  # whatever it is, the source says it and tries again
                self.error = f"{type(error).__name__}: {error}"
                self._close_client()
                self._cancelled.wait(_RETRY_S)
            else:
                self.error = ""
                self._done.set()
                self._settled.set()
                return

    def _look_for_tls(self) -> None:
        """While there is no connection, whether the servers want TLS."""
        wait_s = _TLS_AFTER_S
        while not self._settled.wait(wait_s):
            self.tls = tls.WORDS if tls.wants_tls(self._options["bootstrap_servers"], _TLS_TIMEOUT_S) else ""
            wait_s = _TLS_EVERY_S
        self.tls = ""

    def _make_client(self, **config: Any) -> Any:
        self.client = KafkaNetClient(**config)
        return self.client

    def _close_client(self) -> None:
        with self._guard:
            if self.client is not None:
                self.client.close()
            self.client = None
