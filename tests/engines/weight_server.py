"""A model server for tests: ``weight_server.py FOLDER PORT [--die | --mute]`` says which weights it serves."""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

if "--die" in sys.argv:
    print("no such weights", file=sys.stderr)
    raise SystemExit(3)
if "--mute" in sys.argv:
    print("loading", file=sys.stderr, flush=True)
    time.sleep(60)

NAME = (Path(sys.argv[1]) / "name").read_text()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        """Be quiet."""

    def send(self, found):
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send({"data": [{"id": NAME}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = f"served by {asked['model']}"
        self.send({"model": NAME, "choices": [{"text": text, "finish_reason": "stop", "index": 0}], "usage": {}})


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
