"""What a model server's log says of why it ended: the first line with a cause, and its remedy for usual ones."""

from __future__ import annotations

import re
from pathlib import Path

_LAST = 15  # lines that are shown where none names a cause
_MARK = re.compile(r"^(?:\([^)]*\)\s*)*(?:(?:ERROR|CRITICAL|INFO|WARNING)\b[^\]]*\]\s*)?")  # vLLM's marks before a line
_CAUSE = re.compile(r"^(?:[\w.]*(?:Error|Exception|OutOfMemory\w*)|[Ee]rror|error: .*|fatal)\b\s*:?.+")
_FOLLOWS = ("see root cause above", "engine core initialization failed", "engine process failed")  # what a cause led to
_USUAL = (  # parts of the log in small letters, and what helps
    (
        ("no available memory for the cache", "free memory on device", "gpu_memory_utilization"),
        "the memory share: add --gpu-memory-utilization 0.8 (or another share) to engine.command, or free the device "
        "of other processes (nvidia-smi).",
    ),
    (
        ("max_model_len", "max seq len", "maximum number of tokens that can be stored", "model's max length"),
        "the window: add --max-model-len N to engine.command, N at least the longest prompt plus "
        "engine.max_new_tokens.",
    ),
    (
        ("out of memory", "outofmemory"),
        "the weights do not fit: a smaller model, model.dtype=bfloat16, or more devices.",
    ),
    (("address already in use",), "another program took the port in between: the same command again."),
    (
        ("is not a valid model identifier", "does not appear to have a file named", "no such file", "not found in"),
        "look at model.source: the server finds no model there.",
    ),
    (
        ("unrecognized arguments", "no such option", "invalid choice"),
        "look at engine.command: its program does not know an option.",
    ),
)


def cause_of(output: Path) -> str:
    """Return the first line of a log that names a cause, with a remedy where it is a usual one; else its last lines."""
    lines = [_MARK.sub("", line.rstrip()).strip() for line in output.read_text("utf-8", "replace").splitlines()]
    causes = [line for line in lines if _CAUSE.match(line) and not any(f in line.lower() for f in _FOLLOWS)]
    text = "\n".join(lines).lower()
    remedy = next((r for words, r in _USUAL if any(w in text for w in words)), "look at its log.")
    said = causes[0] if causes else "\n".join(line for line in lines[-_LAST:] if line)
    return f"{said}\nRemedy: {remedy} The whole log: {output}"
