"""Requests per second of the instructor's client with 32 in flight: ``python -m benchmarks.throughput [N] [RUNS]``.

The ideal is 32 requests every 50 ms. Needs a quiet machine with two cores: client and server use one each.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.delayed import DELAY
from sei.instructors.remote.answers import Answers
from sei.instructors.remote.client import Client
from sei.instructors.remote.replies import parsed
from sei.instructors.remote.terms import Limits, Request

IN_FLIGHT = 32
_TEXT = "say {} please, in words that fill a line of usual length " * 20  # as long as a keyphrase request


def asked(n: int, sample: int) -> list[Request]:
    """Return n different requests."""
    return [
        Request(
            messages=(("user", _TEXT.replace("{}", str(i))),),
            schema={},
            check=lambda text: parsed(text)["value"],
            max_tokens=20,
            temperature=0.0,
            sample=sample,
        )
        for i in range(n)
    ]


def measure(url: str, n: int) -> tuple[float, float]:
    """Return the share of the ideal and the CPU milliseconds per request, after a warm-up of 200 requests."""
    with tempfile.TemporaryDirectory() as folder:
        limits = Limits(concurrency=IN_FLIGHT, timeout=30)
        cache = Answers(Path(folder) / "answers.sqlite")
        client = Client(base_url=url, model="m", api_key="none", structured=True, limits=limits, cache=cache)
        list(client.run(asked(200, 0)))
        start, cpu = time.perf_counter(), time.process_time()
        list(client.run(asked(n, 1)))
        seconds, used = time.perf_counter() - start, time.process_time() - cpu
    return DELAY * n / IN_FLIGHT / seconds, 1000 * used / n


def main() -> None:
    """Start the server, measure, print."""
    n, runs = (int(a) for a in (sys.argv[1:] + ["5000", "3"][len(sys.argv) - 1 :])[:2])
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.delayed"], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        for _ in range(runs):
            share, cpu = measure(url, n)
            print(f"n={n}: {share:.3f} of the ideal, {cpu:.2f} ms CPU a request", flush=True)
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
