"""Why a broker cannot be reached, in words.

kafka-python raises the same `KafkaTimeoutError: Unable to bootstrap` for an absent broker, a wrong password and a
wrong certificate; only its log knows the difference. This reads that log while the client works, and keeps the most
telling reason: a refused login often shows as a bare disconnect on every other try.
"""

from __future__ import annotations

import logging
import re
import threading
import time

_VAGUE_AFTER_S = 20.0  # how long a telling reason stands against vaguer ones

_TELLING: tuple[tuple[str, str], ...] = (
    (
        r"SaslAuthenticationFailedError|Failed to authenticate",
        "the broker refused the login: check security.username and security.password_file",
    ),
    (
        r"UnsupportedSaslMechanism|does not support \S+ sasl mechanism",
        "the broker does not take this security.mechanism",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED\][^:]*: ([^(]+)",
        "the broker's certificate was not accepted ({0}): check security.ca_file",
    ),
    (r"Handshake failed: (.{1,120})", "the TLS handshake failed ({0}): check security.protocol"),
    (r"InvalidReceiveError", "what answered does not speak Kafka in the clear: check security.protocol and the port"),
    (r"ECONNREFUSED", "nothing listens there (connection refused): start the broker or correct bootstrap_servers"),
    (r"DNS Resolution failure|DNS lookup failed", "the host name is unknown: correct bootstrap_servers"),
    (r"EHOSTUNREACH|ENETUNREACH", "the host cannot be reached: check the network"),
    (r"IncompatibleBrokerVersion|kafka controller", "what answered is not a broker: correct bootstrap_servers"),
)
_VAGUE: tuple[tuple[str, str], ...] = (
    (r"timed out|Timeout|ETIMEDOUT", "the broker does not answer in time"),
    (
        r"socket disconnected|Connection lost|ECONNRESET|Connection failed",
        "the broker closed the connection (where `security` is set, that often means a login that it refused)",
    ),
)


def explain(text: str) -> tuple[str, bool] | None:
    """The reason in a line of kafka-python's log, and whether it is a telling one; None when it holds none."""
    for table, telling in ((_TELLING, True), (_VAGUE, False)):
        for pattern, words in table:
            found = re.search(pattern, text)
            if found:
                return words.format(*(group.strip() for group in found.groups())), telling
    return None


def explain_error(error: Exception, group_id: str) -> str:
    """What `poll` raised, in words."""
    kind = type(error).__name__
    if kind == "GroupAuthorizationFailedError":
        return f"the login may not use group {group_id}: grant it READ on the group"
    if kind == "TopicAuthorizationFailedError":
        return "the login may not read every topic in `topics`: grant it READ on them"
    return f"kafka-python raised {kind}: {str(error)[:200]}"


class Reasons(logging.Handler):
    """Listens to kafka-python's network log for one client, told apart by its thread's name."""

    def __init__(self, client_id: str) -> None:
        super().__init__(logging.WARNING)
        self._thread_name = f"kafka-io-{client_id}"
        self._guard = threading.Lock()
        self._words, self._telling, self._words_at, self._heard_at = "", False, 0.0, 0.0

    def attach(self) -> None:
        """From now on the library's log becomes reasons.

        Its lines go no further, since while a broker is away there are several a second, unless somebody turned the
        library's log up to look at it. The lines are made in any case, whatever level the program gave the library.
        """
        library = logging.getLogger("kafka")
        library.propagate = library.isEnabledFor(logging.INFO)
        network = logging.getLogger("kafka.net")
        if not network.isEnabledFor(logging.WARNING):
            network.setLevel(logging.WARNING)
        library.addHandler(self)

    def detach(self) -> None:
        logging.getLogger("kafka").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.threadName == self._thread_name and record.name.startswith("kafka.net"):
            explained = explain(record.getMessage())
            if explained:
                self._note(*explained)

    def _note(self, words: str, telling: bool) -> None:
        now = time.monotonic()
        with self._guard:
            self._heard_at = now
            if telling or not self._telling or now - self._words_at > _VAGUE_AFTER_S:
                self._words, self._telling, self._words_at = words, telling, now

    def trouble(self) -> str:
        """What is wrong with the connection; empty when nothing was heard."""
        with self._guard:
            return self._words

    @property
    def vague(self) -> bool:
        """Whether there is trouble that the next try may explain better."""
        with self._guard:
            return bool(self._words) and not self._telling

    def quiet_s(self) -> float:
        """Seconds since the last trouble was heard."""
        with self._guard:
            return time.monotonic() - self._heard_at

    def clear(self) -> None:
        with self._guard:
            self._words, self._telling = "", False
