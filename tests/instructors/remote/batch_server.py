"""The loopback server with a Batch API. Files and batches are in memory; the test decides when they are done."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.instructors.remote.fault_server import FaultServer, send


def completion(text: str | None, *, finish: str = "stop", **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return {"status_code": 200, "body": {"model": "scripted", "choices": [choice], "usage": usage}}


def failure(status: int, code: str = "x", message: str = "scripted") -> dict[str, Any]:
    return {"status_code": status, "body": {"error": {"code": code, "message": message}}}


def said(body: dict[str, Any]) -> str:
    return body["messages"][0]["content"]


@dataclass
class BatchServer(FaultServer):
    """``scripts`` gives the response for a request's text instead of ``reply``; ``None`` leaves its line out.

    ``way``: called first with method and path, and may send any reply itself. ``after``: called once a call has taken
    effect, and may drop its reply.
    """

    scripts: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = field(default_factory=dict)
    way: list[Callable[[Any, str], bool]] = field(default_factory=list)
    after: list[Callable[[Any, str], bool]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        super().__post_init__()

    def handle(self, h: Any) -> None:
        path = urlsplit(h.path).path.removeprefix("/v1")
        if path == "/chat/completions":
            super().handle(h)
            return
        body = h.rfile.read(int(h.headers.get("Content-Length") or 0))
        call = f"{h.command} {path}"
        with self._lock:
            self.calls.append(call)
            self.keys.add(h.headers.get("Authorization", ""))
        if any(fault(h, call) for fault in self.way):
            return
        status, found = self._do(call, body, parse_qs(urlsplit(h.path).query))
        if not any(fault(h, call) for fault in self.after):
            send(h, status, found if isinstance(found, bytes) else json.dumps(found).encode())

    def _do(self, call: str, body: bytes, query: dict[str, list[str]]) -> tuple[int, Any]:
        with self._lock:
            if call == "POST /files":
                assert b'name="purpose"\r\n\r\nbatch\r\n' in body
                boundary = body.split(b"\r\n", 1)[0]
                (part,) = [p for p in body.split(boundary) if b"filename=" in p]
                return 200, self._file(part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n"))
            if call == "POST /batches":
                return 200, self._create(json.loads(body))
            if call == "GET /batches":
                made, after = list(reversed(self.batches.values())), query.get("after", [None])[0]
                start = 1 + [b["id"] for b in made].index(after) if after else 0
                page = made[start : start + 2]  # small pages, so that more than one is read
                return 200, {"object": "list", "data": page, "has_more": start + 2 < len(made)}
            if (m := re.fullmatch(r"GET /batches/(\w+)", call)) and m[1] in self.batches:
                return 200, self.batches[m[1]]
            if (m := re.fullmatch(r"GET /files/(\w+)/content", call)) and m[1] in self.files:
                return 200, self.files[m[1]]
        return 404, {"error": {"message": "no such thing"}}

    def _file(self, content: bytes) -> dict[str, Any]:
        name = f"file_{len(self.files)}"
        self.files[name] = content
        return {"id": name, "object": "file", "bytes": len(content), "created_at": 0, "filename": "x",
                "purpose": "batch", "status": "processed"}  # fmt: skip

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert (asked["endpoint"], asked["completion_window"]) == ("/v1/chat/completions", "24h")
        name = f"batch_{len(self.batches)}"
        total = len(self.files[asked["input_file_id"]].splitlines())
        self.batches[name] = {
            "id": name, "object": "batch", "status": "in_progress", "created_at": int(time.time()), **asked,
            "request_counts": {"total": total, "completed": 0, "failed": 0},
        }  # fmt: skip
        return self.batches[name]

    def lines(self, batch: str) -> list[dict[str, Any]]:
        return [json.loads(x) for x in self.files[self.batches[batch]["input_file_id"]].splitlines()]

    def finish(self, status: str = "completed") -> None:
        """End every batch in progress: results in reverse order, failures in the error file."""
        for name, batch in list(self.batches.items()):
            if batch["status"] != "in_progress":
                continue
            good, bad = [], []
            for line in reversed(self.lines(name)):
                script = self.scripts.get(said(line["body"]), lambda body: completion(self.reply(body)))
                response = script(line["body"])
                if response is not None:
                    result = {"id": "r", "custom_id": line["custom_id"], "response": response, "error": None}
                    (good if response["status_code"] == 200 else bad).append(result)
                elif status != "completed":
                    error = {"code": f"batch_{status}", "message": "not executed in time"}
                    bad.append({"id": "r", "custom_id": line["custom_id"], "response": None, "error": error})
            for field_name, results in (("output_file_id", good), ("error_file_id", bad)):
                if results:
                    batch[field_name] = self._file(b"".join(json.dumps(x).encode() + b"\n" for x in results))["id"]
            batch["status"] = status

    def sent(self) -> Counter[str]:
        """Count how often each text was put into a batch."""
        return Counter(said(x["body"]) for name in self.batches for x in self.lines(name))
