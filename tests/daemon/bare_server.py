"""The yardstick of the health test: a server that does nothing but answer, beside two threads that never rest.

What a busy Python process can do at best on this machine at this moment. `python -m tests.daemon.bare_server`
prints its port and serves until it is ended.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BUSY_THREADS = 2


class Health(BaseHTTPRequestHandler):
    """Answers every GET with two letters."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: Any) -> None:
        return


def work() -> None:
    """What intake does most of the time: read JSON."""
    text = json.dumps([{"number": number, "text": "a text " * 20} for number in range(100)])
    while True:
        json.loads(text)


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Health)
    for _ in range(BUSY_THREADS):
        threading.Thread(target=work, daemon=True).start()
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
