"""What a fit needs beside its model, and the hand-over of a fit to the processes of several devices.

The hand-over is a folder that all processes see: ``job.json`` and ``rows.json`` say what to do. The first process
appends each step to ``curve.jsonl`` and writes the trained weights to ``weights.pt``. Each process notes itself
in ``rank_<n>.json``, and its error, if there is one, in ``error_<n>.json``.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sei import errors
from sei.build import build
from sei.errors import SeiError
from sei.parts import node_of
from sei.records import Checkpoint, Throughput
from sei.store import write_atomic

Pair = tuple[Sequence[int], Sequence[int]]  # token ids of prompt and completion


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A planned fit.

    ``pairs``: token ids. ``plan``: the pairs of every optimizer step. ``pad``: the padding token. ``interval``: steps
    between resume points. ``settings``: those of ``LitCausalLM``. ``clip``: the gradient norm limit.
    """

    pairs: Sequence[Pair]
    plan: Sequence[Sequence[int]]
    pad: int
    interval: int
    seed: int
    settings: dict[str, Any]
    clip: float
    deterministic: bool


class Trainee(Protocol):
    """A part that opens a model to be trained."""

    @property
    def trainer(self) -> Any:
        """Return the settings of the machine."""
        ...

    def trainable(self, start: Checkpoint, seed: int, *, device: str | None = None) -> Any:
        """Open the weights, and wrap them for training; a context manager of the model and its tokenizer."""
        ...


@dataclass(frozen=True, kw_only=True)
class Handover:
    """A fit that other processes do. ``finetuner`` opens the weights ``start``; ``point``: the resume point, if any.

    ``parent``: host and process number of the process that waits for them.
    """

    finetuner: Trainee
    start: Checkpoint
    fit: Fit
    resume: Path
    point: Path | None
    parent: tuple[str, int]

    def write(self, folder: Path) -> None:
        """Write the hand-over into a folder."""
        fit = asdict(self.fit)
        rows = {name: fit.pop(name) for name in ("pairs", "plan")}
        job = {
            "kind": "fit",
            "finetuner": node_of(self.finetuner),
            "start": asdict(self.start),
            "fit": fit,
            "resume": str(self.resume.resolve()),
            "point": str(self.point.resolve()) if self.point else None,
            "parent": list(self.parent),
        }
        plain = {"pairs": [[list(map(int, p)), list(map(int, c))] for p, c in rows["pairs"]], "plan": rows["plan"]}
        write_atomic(folder / "rows.json", json.dumps(plain).encode())
        write_atomic(folder / "job.json", json.dumps(job, indent=1).encode())


def read(folder: Path) -> Handover:
    """Return the hand-over in a folder.

    Raises:
        ConfigError: if its parts cannot be built here, such as a package that this machine lacks.
    """
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    rows = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    return Handover(
        finetuner=built(job["finetuner"], "finetuner"),
        start=_checkpoint(job["start"]),
        fit=Fit(**rows, **job["fit"]),
        resume=Path(job["resume"]),
        point=Path(job["point"]) if job["point"] else None,
        parent=(job["parent"][0], job["parent"][1]),
    )


def built(node: Any, key: str) -> Any:
    """Return the part of a config node that a process of this run wrote, a user's own parts included.

    Raises:
        ConfigError: if it cannot be built here, such as a package that this machine lacks.
    """
    return build(node, key, tuple(sorted({target.split(".")[0] for target in _targets(node)} - {"sei"})))


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield node["_target_"]
        node = list(node.values())
    if isinstance(node, list):
        for held in node:
            yield from _targets(held)


def _checkpoint(row: dict[str, Any]) -> Checkpoint:
    return Checkpoint(**{**row, "onto": _checkpoint(row["onto"]) if row["onto"] else None})


class Curve:
    """The steps of a fit in a file: one process appends them, another one reads what is new."""

    def __init__(self, folder: Path) -> None:
        self.file, self._read = folder / "curve.jsonl", 0

    def step(self, loss: float, tokens: int) -> None:
        """Append a step's loss and supervised tokens."""
        self._append({"loss": loss, "tokens": tokens})

    def speed(self, step: int, found: Throughput) -> None:
        """Append a step's throughput."""
        self._append({"step": step, "speed": asdict(found)})

    def _append(self, row: dict[str, Any]) -> None:
        with self.file.open("a", encoding="utf-8") as f:
            f.write(json.dumps(row) + "\n")

    def news(self) -> Iterator[tuple[float, int] | tuple[int, Throughput]]:
        """Yield what was appended since the last call: (loss, tokens), or (step, throughput)."""
        if not self.file.exists():
            return
        with self.file.open("rb") as f:
            f.seek(self._read)
            for line in f:
                if not line.endswith(b"\n"):
                    return  # it is being written
                self._read += len(line)
                row = json.loads(line)
                yield (row["step"], Throughput(**row["speed"])) if "speed" in row else (row["loss"], row["tokens"])


@dataclass
class Followed:
    """What a waiting process has read: (loss, supervised tokens) of every step, and the throughput by step."""

    curve: list[tuple[float, int]] = field(default_factory=list)
    speeds: dict[int, Throughput] = field(default_factory=dict)

    def take(self, news: tuple[float, int] | tuple[int, Throughput]) -> int:
        """Add one piece of news; return the number of new steps, 1 or 0."""
        if isinstance(news[1], Throughput):
            self.speeds[int(news[0])] = news[1]
            return 0
        self.curve.append((float(news[0]), news[1]))
        return 1


def note_rank(folder: Path, rank: int) -> None:
    """Note the host and the number of this process."""
    write_atomic(folder / f"rank_{rank}.json", json.dumps([socket.gethostname(), os.getpid()]).encode())


def ranks(folder: Path) -> dict[int, tuple[str, int]]:
    """Return host and process number of every process that has begun, by rank."""
    files = {int(f.stem.partition("_")[2]): f for f in folder.glob("rank_*.json")}
    held = {rank: json.loads(f.read_text(encoding="utf-8")) for rank, f in sorted(files.items())}
    return {rank: (host, number) for rank, (host, number) in held.items()}


@contextmanager
def telling(folder: Path, rank: int) -> Iterator[None]:
    """Write an error of the block into the folder, for the process that waits."""
    try:
        yield
    except Exception as e:
        row = {"type": type(e).__name__, "said": str(e)}
        write_atomic(folder / f"error_{rank}.json", json.dumps(row).encode())
        raise


def told(folder: Path) -> SeiError | tuple[int, str] | None:
    """Return the first error in a folder: one of sei's own, else the rank and its words; ``None`` if there is none."""
    files = sorted(folder.glob("error_*.json"), key=lambda f: (f.stat().st_mtime_ns, f.name))
    rows = [(int(f.stem.partition("_")[2]), json.loads(f.read_text(encoding="utf-8"))) for f in files]
    for _, row in rows:  # one process that refuses makes others fail without a reason
        kind = getattr(errors, row["type"], None)
        if isinstance(kind, type) and issubclass(kind, SeiError):
            return kind(row["said"])
    return (rows[0][0], f"{rows[0][1]['type']}: {rows[0][1]['said']}") if rows else None
