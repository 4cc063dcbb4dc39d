"""A real HTTP server on this machine whose answers a test scripts: slow, failing, talking nonsense; it remembers all it saw."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from waiting import PATIENCE


class Seen(NamedTuple):
    """A request as it came: `at` is when, by time.monotonic; `number` counts from 0."""

    number: int
    method: str
    path: str
    headers: dict
    body: bytes
    at: float

    @property
    def json(self):
        return json.loads(self.body)


class Reply(NamedTuple):
    """What to answer: `body` bytes, or anything that becomes JSON; `drop`: how many bytes of it before the line goes dead."""

    body: object = b""
    status: int = 200
    headers: dict = {}  # noqa: RUF012 (a constant)
    after: float = 0.0
    drop: int | None = None
    trickle: float = 0.0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that has gone away is a part of many tests."""


class Loopback:
    """Answers every request with `answer(seen)`, a `Reply` or what becomes JSON. Use as a context manager.

    It answers nobody until `together` requests have been with it at the same moment.
    """

    def __init__(self, answer, *, together=1):
        self.answer, self.together = answer, together
        self.seen = []
        self.in_flight = self.most_in_flight = 0
        self._lock, self._met = threading.Lock(), threading.Event()
        self._http = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()

    @property
    def posts(self):
        """The requests that ask for work, without those that look what is served."""
        return [seen for seen in self.seen if seen.method == "POST"]

    def replied(self, method, path, headers, body):
        with self._lock:
            seen = Seen(len(self.seen), method, path, headers, body, time.monotonic())
            self.seen.append(seen)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            if self.in_flight == self.together:
                self._met.set()
        try:
            self._met.wait(PATIENCE)
            reply = self.answer(seen)
            reply = reply if isinstance(reply, Reply) else Reply(reply)
            time.sleep(reply.after)
            return reply
        finally:
            with self._lock:
                self.in_flight -= 1


def _handler(loopback):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self):
            self.do_POST()

        def do_POST(self):
            expected = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(expected)
            if len(body) < expected:  # whoever asked was killed
                self.close_connection = True
                return
            reply = loopback.replied(self.command, self.path, dict(self.headers), body)
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(content)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if reply.trickle:
                for byte in content:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(reply.trickle)
            else:
                self.wfile.write(content if reply.drop is None else content[: reply.drop])
            self.wfile.flush()
            self.close_connection = reply.drop is not None

        def log_message(self, *_):
            pass

    return Handler


def models(*names, owner="vllm", **more):
    """A reply to /v1/models."""
    return {"object": "list", "data": [{"id": name, "object": "model", "owned_by": owner, **more} for name in names]}


def chat_reply(text, **more):
    """A chat's reply that says `text`, for 11 tokens read and 3 written."""
    message = {"role": "assistant", "content": text, **more}
    usage = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
    return {"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}


def echoing(seen):
    """A chat server with one model that says the last turn again in capitals."""
    if seen.path == "/v1/models":
        return models("m")
    return chat_reply(seen.json["messages"][-1]["content"].upper())
