"""A server for tests with vLLM's addresses for adapters and sleep: ``vllm serve FOLDER --port PORT [options]``.

An answer names the adapter or the weights that gave it. ``/events`` lists what the server was asked besides; its first
event has the options and variables that it was started with. ``SAY`` and ``FAIL`` in its environment make it fail.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

OPTIONS = sys.argv[3:]
PORT = int(OPTIONS[OPTIONS.index("--port") + 1])
VARIABLES = ("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "VLLM_SERVER_DEV_MODE", "OWN", "CUDA_VISIBLE_DEVICES")
EVENTS: list[Any] = [{"options": OPTIONS, "env": {k: os.environ[k] for k in VARIABLES if k in os.environ}}]
LOADED: dict[str, str] = {}


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def send(self, found: Any, code: int = 200) -> None:
        body = json.dumps(found).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path == "/events":
            return self.send(EVENTS)
        own = {"id": sys.argv[2], "root": os.environ.get("ROOT", sys.argv[2]), "max_model_len": 512, "parent": None}
        return self.send({"data": [own, *({"id": n, "root": f, "parent": sys.argv[2]} for n, f in LOADED.items())]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or "null")
        if self.path == "/v1/completions":
            text = f"{asked['model']} in {LOADED.get(asked['model'], sys.argv[2])}"
            choice = {"index": 0, "text": text, "finish_reason": "stop"}
            return self.send({"model": asked["model"], "choices": [choice], "usage": {}})
        EVENTS.append([self.path, asked])
        if self.path in os.environ.get("FAIL", "").split(","):
            return self.send({"error": {"message": "LoRA rank 99 is greater than max_lora_rank 16."}}, 400)
        if self.path == "/v1/load_lora_adapter":
            if asked["lora_name"] in LOADED:
                return self.send({"error": {"message": "has already been loaded"}}, 400)
            LOADED[asked["lora_name"]] = Path(asked["lora_path"]).name
        return self.send({})


if "SAY" in os.environ:
    print(os.environ["SAY"], flush=True)
    sys.exit(1)
ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
