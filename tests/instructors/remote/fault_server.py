"""A loopback server with the chat completions protocol, scripted faults and a log of requests."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Seen:
    """One request as received: its time, body and key."""

    at: float
    body: dict[str, Any]
    key: str


@dataclass
class FaultServer:
    """``reply`` returns the text for a request body; ``faults`` is called first and may send anything itself."""

    reply: Callable[[dict[str, Any]], str]
    faults: list[Callable[[Any, int], bool]] = field(default_factory=list)
    delay: float = 0.0
    model: str = "scripted"
    log: list[Seen] = field(default_factory=list)
    most_in_flight: int = 0
    counted: bool = False  # count tokens from the texts, three characters a token, instead of 100 and 10

    def __post_init__(self) -> None:
        self._lock, self._in_flight = threading.Lock(), 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # otherwise each reply waits 40 ms for an acknowledgement

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

            def do_POST(self) -> None:
                outer.handle(self)

            def do_GET(self) -> None:
                outer.handle(self)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def handle(self, h: Any) -> None:
        body = json.loads(h.rfile.read(int(h.headers["Content-Length"])))
        with self._lock:
            number = len(self.log)
            self.log.append(Seen(time.monotonic(), body, h.headers.get("Authorization", "")))
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            if any(fault(h, number) for fault in self.faults):
                return
            time.sleep(self.delay)
            text = self.reply(body)
            sent = sum(len(m["content"]) for m in body["messages"])
            answer(h, text, model=self.model, tokens=(sent // 3, len(text) // 3) if self.counted else (100, 10))
        except (BrokenPipeError, ConnectionResetError):
            h.close_connection = True
        finally:
            with self._lock:
                self._in_flight -= 1

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def send(h: Any, status: int, body: bytes, **headers: str) -> bool:
    h.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
        h.send_header(name.replace("_", "-"), value)
    h.end_headers()
    h.wfile.write(body)
    return True


def answer(
    h: Any,
    text: str | None,
    *,
    finish: str = "stop",
    model: str = "scripted",
    tokens: tuple[int, int] = (100, 10),
    **message: Any,
) -> bool:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": model, "choices": [choice], "usage": usage}
    return send(h, 200, json.dumps(body).encode())


def sometimes(share: float, fault: Callable[[Any], bool], seed: int = 0) -> Callable[[Any, int], bool]:
    """Fail a share of requests, by number."""

    def decide(h: Any, number: int) -> bool:
        return random.Random(f"{seed}/{number}").random() < share and fault(h)

    return decide


def first(n: int, fault: Callable[[Any], bool]) -> Callable[[Any, int], bool]:
    """Fail the first n requests."""
    return lambda h, number: number < n and fault(h)


def error(status: int, code: str = "x", message: str = "scripted", **headers: str) -> Callable[[Any], bool]:
    return lambda h: send(h, status, json.dumps({"error": {"code": code, "message": message}}).encode(), **headers)


def html(status: int) -> Callable[[Any], bool]:
    return lambda h: send(h, status, b"<html><h1>Bad gateway</h1></html>", Content_Type="text/html")


def raw(body: bytes) -> Callable[[Any], bool]:
    return lambda h: send(h, 200, body)


def reset(h: Any) -> bool:
    h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    h.connection.close()
    h.close_connection = True
    return True


def truncated(h: Any) -> bool:
    h.send_response(200)
    h.send_header("Content-Length", "5000")
    h.end_headers()
    h.wfile.write(b'{"choices": [')
    h.wfile.flush()
    h.close_connection = True
    return True


def hang(seconds: float) -> Callable[[Any], bool]:
    def fault(h: Any) -> bool:
        time.sleep(seconds)
        h.close_connection = True
        return True

    return fault


def drip(seconds: float) -> Callable[[Any], bool]:
    def fault(h: Any) -> bool:
        h.close_connection = True
        h.send_response(200)
        h.send_header("Content-Length", "1000")
        h.end_headers()
        for _ in range(int(seconds * 10)):
            h.wfile.write(b" ")
            h.wfile.flush()
            time.sleep(0.1)
        return True

    return fault
