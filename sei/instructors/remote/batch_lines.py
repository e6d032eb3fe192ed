"""The lines of a batch's files: one request per line in the upload, one result per line in the download."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from sei.instructors.remote.bodies import MAX_BODY, value_of
from sei.instructors.remote.replied import of_text
from sei.instructors.remote.verdict import Drop, ReplyState, Retry, error_of, of_status

MAX_REQUESTS = 50_000  # the server's limit on one batch
MAX_BYTES = 190 * 10**6  # below the server's 200 MB
UNASKED = ("batch_expired", "batch_cancelled")  # codes of lines that the server did not process
_MAX_LINE = MAX_BODY + 2**16


def line_of(key: str, body: dict[str, Any]) -> bytes:
    """Return the line that asks for one chat completion."""
    line = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(line).encode() + b"\n"


def digest_of(tries: Sequence[tuple[str, int]]) -> str:
    """Return the digest of keys and their numbers of tries. It identifies a batch at the server."""
    return hashlib.sha256(json.dumps(sorted(tries)).encode()).hexdigest()


def groups(sizes: Iterable[tuple[str, int]]) -> Iterator[list[str]]:
    """Yield groups of keys that each fit into one file, given the size in bytes of every key's line."""
    group: list[str] = []
    total = 0
    for key, size in sizes:
        if group and (len(group) >= MAX_REQUESTS or total + size > MAX_BYTES):
            yield group
            group, total = [], 0
        group.append(key)
        total += size
    if group:
        yield group


def results(file: IO[bytes]) -> Iterator[tuple[str, ReplyState]]:
    """Yield key and verdict of every line. Lines that are not results are skipped, and their requests stay unread.

    Memory is limited, even for very long lines.
    """
    while line := file.readline(_MAX_LINE):
        whole = line
        while len(line) == _MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(_MAX_LINE)
        if whole is line and (found := _result(line)) is not None:
            yield found


def _result(line: bytes) -> tuple[str, ReplyState] | None:
    try:
        found = value_of(line.decode())
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("custom_id"), str):
        return None
    response, error = found.get("response"), found.get("error")
    if isinstance(response, dict):
        return found["custom_id"], _of_response(response)
    error = error if isinstance(error, dict) else {}
    if error.get("code") in UNASKED:
        return found["custom_id"], Retry(reason=error["code"])
    return found["custom_id"], of_status(500, {}, error)


def _of_response(response: dict[str, Any]) -> ReplyState:
    status, body = response.get("status_code"), response.get("body")
    if status == 200:
        text = json.dumps(body)
        return of_text(text) if len(text) < MAX_BODY else Drop(reason="too_large", detail=text[:300])
    return of_status(status if isinstance(status, int) else 500, {}, error_of(body))
