"""Starts a run, stops it at some moment, starts it again, and finds what was made twice."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

COMMAND = (  # rounds with LoRA dropout and resume points inside every fit
    *("experiment=smoke", "tracker=local", "rounds=2", "patience=0", "finetuner=lora", "finetuner.lora_dropout=0.1"),
    *("data.pool=60", "data.dev=20", "data.test=20", "budget.candidates=15", "finetuner.schedule.steps=6"),
    "finetuner.resume_every=2",
)


def start(home: Path, *more: str, file_limit: int | None = None) -> subprocess.Popen[str]:
    """Start the command with its own store and run folders below ``home``."""

    def limit() -> None:
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    return subprocess.Popen(
        [sys.executable, "-m", "sei", *COMMAND, *more],
        cwd=home,
        env={**os.environ, "SEI_STORE": str(home / "store")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit if file_limit else None,
    )


def stop_after(home: Path, seconds: float, number: int, *more: str) -> tuple[int, float, str]:
    """Start, send a signal after some seconds; returns exit code, seconds from signal to end, and stderr."""
    process = start(home, *more)
    try:
        process.communicate(timeout=seconds)
        return process.returncode, 0.0, ""  # it was done before
    except subprocess.TimeoutExpired:
        pass
    sent = time.perf_counter()
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    return process.returncode, time.perf_counter() - sent, err


def stop_when(home: Path, words: str, number: signal.Signals, *more: str) -> tuple[int, float, str]:
    """Start, send a signal once the log contains some words."""
    process = start(home, *more)
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            break
    sent = time.perf_counter()
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    return process.returncode, time.perf_counter() - sent, err


def finish(home: Path, *more: str) -> dict:
    """Run the command to the end; returns its summary without times."""
    process = start(home, *more)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err[-3000:] or out[-3000:]
    return summary(last_run(home))


def last_run(home: Path) -> Path:
    """Return the newest run folder that has a summary."""
    return max(home.glob("outputs/*/*/summary.json"), key=lambda p: p.stat().st_mtime).parent


def summary(run: Path) -> dict:
    """Return a summary without its times."""
    held = json.loads((run / "summary.json").read_text())
    for r in held["rounds"]:
        del r["seconds"]
    return held


def finished(home: Path) -> set[tuple[str, str]]:
    """Return the finished entries of the store."""
    return {(p.parent.parent.name, p.parent.name) for p in (home / "store").glob("*/*/entry.json")}


def kept_rows(home: Path) -> dict[tuple[str, str], int]:
    """Return the number of complete rows in every row-wise entry."""
    out = {}
    for path in (home / "store").glob("*/*/rows.jsonl"):
        lines = path.read_bytes().split(b"\n")[:-1]  # the text after the last newline is incomplete
        out[path.parent.parent.name, path.parent.name] = len(lines)
    return out


def made_again(home: Path, before: set[tuple[str, str]], rows: dict[tuple[str, str], int]) -> list[str]:
    """Return what the last run made although it already existed."""
    uses = json.loads((last_run(home) / "ledger.json").read_text())["uses"]
    out = [f"{u['stage']}/{u['key']}" for u in uses if (u["stage"], u["key"]) in before and u["made"]]
    now = kept_rows(home)
    for entry, n in rows.items():
        made = sum(u["made"] for u in uses if (u["stage"], u["key"]) == entry)
        if made > now[entry] - n:
            out.append(f"{made - now[entry] + n} rows of {'/'.join(entry)}")
    return out


def half_made(home: Path) -> list[str]:
    """Return the stages that a kill left unfinished."""
    folders = [p.parent for p in (home / "store").glob("*/*/about.json")]
    return sorted(f.parent.name for f in folders if not (f / "entry.json").exists() and not (f / "rows.jsonl").exists())
