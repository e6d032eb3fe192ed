"""Finds the cause in the log of a model server that has ended, and the remedy for common causes."""

from __future__ import annotations

import re
from pathlib import Path

_LAST = 15  # this many last lines are shown if none names a cause
_LONGEST = 600  # characters of a cause
_MARK = re.compile(r"^(?:\([^)]*\)\s*)*(?:(?:ERROR|CRITICAL|INFO|WARNING)\b[^\]]*\]\s*)?")  # vLLM's prefixes of a line
_CAUSE = re.compile(r"^(?:[\w.]*(?:Error|Exception|OutOfMemory\w*)|[Ee]rror|[\w./-]+: error|fatal)\b\s*:?.+")
_REPORTS = re.compile(r"^(?:\([^)]*\)\s*)*(?:INFO|DEBUG)\b")  # such a line contains settings and requests, not faults
_COUNTS = re.compile(r"\d+ validation errors? for \w+$")  # the next line tells what is wrong
_FOLLOWS = (  # messages that follow from an earlier cause
    "see root cause above",
    "see stack trace (above)",
    "engine core initialization failed",
    "engine process failed",
)
_USUAL = (  # parts of the log in lower case, and the remedy
    (
        ("no available memory for the cache", "free memory on device", "gpu_memory_utilization", "kv-cache-memory"),
        "the memory share: add --gpu-memory-utilization 0.8 (or another share) to engine.command, or free the device "
        "of other processes (nvidia-smi).",
    ),
    (
        ("greater than the derived max_model_len",),
        "the window is longer than the model allows: a smaller --max-model-len in engine.command.",
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
    (
        ("cpu generator does not use offset",),
        "vLLM for CPUs fails on drawn answers whose prompt it reads in parts: add --no-enable-chunked-prefill to "
        "engine.command.",
    ),
    (("address already in use",), "another program took the port meanwhile: run the same command again."),
    (
        ("is not a valid model identifier", "does not appear to have a file named", "no such file", "not found in"),
        "look at model.source: the server finds no model there.",
    ),
    (
        ("unrecognized arguments", "no such option", "invalid choice"),
        "look at engine.command: its program does not know one of the options.",
    ),
)


def cause_of(output: Path) -> str:
    """Return the first line of a log that names a cause, or else its last lines, with a remedy."""
    raw = [line.rstrip() for line in output.read_text("utf-8", "replace").splitlines()]
    lines = [_MARK.sub("", line).strip() for line in raw if not _REPORTS.match(line)]
    errors = [_with_detail(lines, at) for at, line in enumerate(lines) if _CAUSE.match(line)]
    causes = [line for line in errors if not any(f in line.lower() for f in _FOLLOWS)]
    said = (causes or errors or ["\n".join(line for line in lines[-_LAST:] if line)])[0][:_LONGEST]
    if errors and not causes:  # the engine's process was killed from outside and logged no cause
        return f"{said}\nRemedy: look in its log for what ended the engine (killed for lack of memory?): {output}"
    # search the first error, then all causes; other lines only repeat settings
    remedy = _remedy(said) or _remedy("\n".join(causes)) or "look at its log."
    return f"{said}\nRemedy: {remedy} The whole log: {output}"


def port_is_taken(output: Path) -> bool:
    """Tell whether a log says that the server's port was taken."""
    return "address already in use" in output.read_text("utf-8", "replace").lower()


def _remedy(text: str) -> str | None:
    return next((r for words, r in _USUAL if any(w in text.lower() for w in words)), None)


def _with_detail(lines: list[str], at: int) -> str:
    """Return an error's line, joined with the next line if it only counts errors."""
    return " ".join(lines[at : at + 2]) if _COUNTS.search(lines[at]) else lines[at]
