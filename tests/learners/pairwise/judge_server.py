"""A small OpenAI-compatible server whose replies a test decides; it remembers what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[[str, str], str]  # from both answers, in the order asked, to what the judge says


@dataclass
class JudgeServer:
    url: str = ""
    statuses: list[int] = field(default_factory=list)  # of the next answers; 200 after them
    retry_after: str = ""  # said with statuses other than 200
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)
    most_at_once: int = 0


@contextmanager
def judging(reply: Reply, delay_s: float = 0.0) -> Iterator[JudgeServer]:
    server, lock, open_now = JudgeServer(), threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                open_now[0] += 1
                server.most_at_once = max(server.most_at_once, open_now[0])
                server.bodies.append(body)
                server.keys.add(self.headers.get("authorization"))
                status = server.statuses.pop(0) if server.statuses else 200
            time.sleep(delay_s)
            with lock:
                open_now[0] -= 1
            said = reply(*_answers(body["messages"][-1]["content"]))
            answer = json.dumps({"choices": [{"message": {"role": "assistant", "content": said}}]}).encode()
            self.send_response(status)
            if status != 200 and server.retry_after:
                self.send_header("retry-after", server.retry_after)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_port}/v1"
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def _answers(question: str) -> tuple[str, str]:
    first = question.partition("[Answer A]\n")[2].partition("\n[End of answer a]")[0]
    second = question.partition("[Answer B]\n")[2].partition("\n[End of answer b]")[0]
    return first, second
