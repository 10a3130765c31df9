"""A scoring service such as a user of the validator `http` would write: a real HTTP server in a thread of the tests.

It gives half the score for any words, the rest for the word "fine"; `replies` put before that what is to be said first:
a status, a JSON value, or a number of seconds to sleep.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from learners.fences import unfenced


class ScoreService:
    """Serves from `start` to `stop`; `asked` holds what was posted, `headers` those of the last request."""

    def __init__(self, replies: Sequence[Any] = ()) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self._replies = list(replies)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/score"

    def start(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="score service", daemon=True).start()
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, body: dict[str, Any]) -> tuple[int, bytes]:
        self.asked.append(body)
        said = self._replies.pop(0) if self._replies else _score(body["answer"])
        if isinstance(said, float):
            time.sleep(said)
            said = _score(body["answer"])
        if isinstance(said, int):
            return said, b"no"
        return 200, said if isinstance(said, bytes) else json.dumps(said).encode()


def _score(answer: str) -> dict[str, Any]:
    words = unfenced(answer).split()
    checks = {"says_something": bool(words), "says_fine": "fine" in words}
    return {"score": sum(checks.values()) / 2, "passed": all(checks.values()), "checks": checks}


def _handler_for(service: ScoreService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # status, headers and body in one packet

        def do_POST(self) -> None:
            service.headers = {name.lower(): value for name, value in self.headers.items()}
            status, body = service.reply(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    return Handler
