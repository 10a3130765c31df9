"""Whether a server that a client talks to in the clear wants TLS. Asked only where connecting has failed for a while.

A broker that is spoken to in the wrong way closes the connection, most often without a word that kafka-python could
log; the server's own answer to a TLS greeting is the one sure sign.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

WORDS = "what answers does not speak Kafka in the clear, but TLS: check security.protocol and the port"


def wants_tls(servers: Sequence[str], timeout_s: float) -> bool:
    """Whether one of the `host:port` answers a TLS greeting; certificates are not looked at, nothing is sent."""
    return any(_answers_tls(server, timeout_s) for server in servers)


def _answers_tls(server: str, timeout_s: float) -> bool:
    host, _, port = server.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout_s) as plain,
            context.wrap_socket(plain),
        ):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # it refuses us, but in TLS
    except (OSError, ValueError):
        return False
