"""A server for tests that is up at once and knows its folder's path alone: ``echo_server.py FOLDER PORT``."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        """Be quiet."""

    def do_GET(self):
        body = json.dumps({"data": [{"id": sys.argv[1]}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
