"""A model server for tests: ``weight_server.py FOLDER PORT [--die | --mute]`` reports which weights it serves.

Their name is the content of the folder's file ``name``, or the folder's path without such a file. ``serve`` is for
servers with other answers.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def serve(name: str, answer: Callable[[dict[str, Any]], dict[str, Any]], **about: Any) -> None:
    """Report the weights' name and other facts ``about`` them; answer completions with one choice each."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Print nothing."""

        def send(self, found: dict[str, Any]) -> None:
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.send({"data": [{"id": name, **about}]})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send({"model": name, "choices": [{"index": 0, **answer(asked)}], "usage": {}})

    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()


if __name__ == "__main__":
    if "--die" in sys.argv:
        print("no such weights", file=sys.stderr)
        raise SystemExit(3)
    if "--mute" in sys.argv:
        print("loading", file=sys.stderr, flush=True)
        time.sleep(60)
    file = Path(sys.argv[1]) / "name"
    serve(
        file.read_text() if file.exists() else sys.argv[1],
        lambda asked: {"text": f"served by {asked['model']}", "finish_reason": "stop"},
    )
