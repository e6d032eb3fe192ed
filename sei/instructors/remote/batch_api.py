"""Calls to a server's Batch API: upload, create, find, check, download. Failures on the way are retried.

``sei.instructors.remote.verdict`` decides which failures are retried. The number of tries is limited.
"""

from __future__ import annotations

import logging
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

from sei.errors import disk_trouble
from sei.instructors.remote.terms import Limits, StoppedError
from sei.instructors.remote.verdict import Drop, Refused, ReplyState, Retry, Stop, of_exception
from sei.instructors.remote.wire import connection, endpoint_of

log = logging.getLogger(__name__)
LOOK_BACK = 30 * 86_400.0  # seconds; the server keeps results for about this long
_BACKOFF = (0.5, 30.0)  # seconds: first wait, longest wait
_MARK = "sei_digest"
T = TypeVar("T")


class BatchApi:
    """One connection to a server with a Batch API. Large files pass through unnamed files in ``folder``.

    Every method may raise StoppedError: with exit code 2 if key, address or request is at fault, with 75 if trying
    later helps.
    """

    def __init__(self, base_url: str, api_key: str, limits: Limits, folder: Path) -> None:
        from openai import OpenAI

        self.host, self.limits, self.folder = endpoint_of(base_url), limits, folder
        self._api = OpenAI(**connection(base_url, api_key), max_retries=0, timeout=limits.timeout)

    def __enter__(self) -> BatchApi:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self._api.close()

    def find(self, digest: str, known: set[str], since: float) -> str | None:
        """Return the id of a batch with this digest that is not in ``known`` and was made after ``since``, if any."""
        return self._call("list batches", lambda: self._look(digest, known, since))

    def create(self, lines: Callable[[], Iterable[bytes]], digest: str, known: set[str]) -> str:
        """Upload lines, create a batch of them with a digest, and return its id."""
        with tempfile.TemporaryFile(dir=self.folder) as file:
            file.writelines(lines())
            file_id = self._call("take the file of requests", lambda: self._upload(file))
        begun, tried = time.time() - 86_400, False

        def make() -> str:
            nonlocal tried
            # the reply to an earlier try may be lost: its batch is paid for and must be found
            found = self._look(digest, known, begun) if tried else None
            tried = True
            return found or self._create(file_id, digest)

        return self._call("make a batch", make)

    def state(self, batch_id: str) -> Any:
        """Return the server's record of a batch, or ``None`` if it does not know the id."""
        return self._call("tell a batch's state", lambda: _or_none(lambda: self._api.batches.retrieve(batch_id)))

    @contextmanager
    def content(self, file_id: str) -> Iterator[IO[bytes] | None]:
        """Yield a file of results, or ``None`` if the server no longer has it."""
        with tempfile.TemporaryFile(dir=self.folder) as file:
            found = self._call("give a batch's results", lambda: _or_none(lambda: self._download(file_id, file)))
            file.seek(0)
            yield file if found else None

    def _look(self, digest: str, known: set[str], since: float) -> str | None:
        for batch in self._api.batches.list(limit=100):  # newest first
            if batch.created_at < since:
                break
            if (batch.metadata or {}).get(_MARK) == digest and batch.id not in known and batch.status != "failed":
                return batch.id
        return None

    def _upload(self, file: IO[bytes]) -> str:
        file.seek(0)
        return self._api.files.create(file=("requests.jsonl", file, "application/jsonl"), purpose="batch").id

    def _create(self, file_id: str, digest: str) -> str:
        made = self._api.batches.create(
            input_file_id=file_id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={_MARK: digest},
        )
        return made.id

    def _download(self, file_id: str, file: IO[bytes]) -> bool:
        file.seek(0)
        file.truncate()
        with self._api.files.with_streaming_response.content(file_id) as response:
            for part in response.iter_bytes(2**16):
                file.write(part)
        return True

    def _call(self, what: str, do: Callable[[], T]) -> T:
        last = ""
        for tried in range(self.limits.tries):
            try:
                return do()
            except Exception as e:  # all errors of the transport are classified in one place
                if (full := disk_trouble(e)) is not None:
                    raise full from e
                verdict = of_exception(e, self._api.api_key)
            if not isinstance(verdict, Retry):
                raise self._refused(what, verdict)
            last = verdict.reason
            log.info("%s does not %s (%s): tried again", self.host, what, last)
            self._wait(tried, verdict.after)
        raise StoppedError(
            f"{self.host} does not {what} ({self.limits.tries} tries, last: {last}). Remedy: run the same command "
            "again later; answers and batches so far are kept.", 75
        )  # fmt: skip

    def _wait(self, tried: int, asked: float | None) -> None:
        if asked is not None and asked > self.limits.max_wait:
            raise StoppedError(
                f"the server asks to wait {asked:.0f} s, longer than instructor.max_wait={self.limits.max_wait}. "
                "Remedy: run the same command again after that time; answers and batches so far are kept.", 75
            )  # fmt: skip
        wait = min(_BACKOFF[1], _BACKOFF[0] * 2 ** min(tried, 10))
        time.sleep(max(asked or 0.0, random.uniform(wait / 2, wait)))

    def _refused(self, what: str, verdict: ReplyState) -> StoppedError:
        if isinstance(verdict, Stop) and "HTTP 404" in verdict.reason:
            return StoppedError(
                f"{self.host} cannot {what} ({verdict.reason}): it may have no Batch API. Remedy: "
                "instructor.batch=false, or check instructor.base_url.", 2
            )  # fmt: skip
        if isinstance(verdict, Stop):
            return StoppedError(f"{verdict.reason}. Remedy: {verdict.remedy}.", verdict.exit_code)
        detail = verdict.detail if isinstance(verdict, (Drop, Refused)) else "its form"
        return StoppedError(
            f"{self.host} refuses to {what}: {detail}. Remedy: change what it names, or instructor.batch=false.", 2
        )


def _or_none(do: Callable[[], T]) -> T | None:
    import openai

    try:
        return do()
    except openai.NotFoundError:
        return None
