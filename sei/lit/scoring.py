"""Scores of candidates, made by several processes.

A scorer saves its values by name in a journal, so that an interrupted stage goes on. Several processes use the same
seam: each calls the scorer with a journal that makes every n-th value and leaves the others to its peers. This process
then has all values, and the scorer makes none. A value is made from the same batch whatever the number of processes,
so scores do not depend on it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import pydantic

from sei.lit.fits import built
from sei.lit.trainer import TrainerSettings
from sei.parts import node_of
from sei.progress import progress
from sei.scorer import Candidates, Scorer
from sei.store import write_atomic
from sei.store.journal import Journal

log = logging.getLogger(__name__)
Value = TypeVar("Value")
_CANDIDATES: pydantic.TypeAdapter[Candidates] = pydantic.TypeAdapter(Candidates)


@runtime_checkable
class Independent(Protocol):
    """A scorer that can say whether each of its saved values can be made without the others."""

    @property
    def independent(self) -> bool:
        """Return whether several processes can share the values out."""
        ...


def share_out(scorer: Scorer, given: Candidates, kept: Journal, machine: TrainerSettings, folder: Path | None) -> None:
    """Make the values of a scorer on several devices, into ``kept``. Does nothing on one device.

    A scorer whose values depend on each other stays on one device, which the log says.

    Raises:
        SeiError: the first one that a process met.
    """
    if machine.world_size == 1 or folder is None or len(given.examples) < machine.world_size:
        return
    if not (isinstance(scorer, Independent) and scorer.independent):
        log.warning(
            "trainer.devices=%d: refiner %s scores on one device, and the others are idle. Rule: devices share out "
            "values that do not depend on each other. Remedy: refiner=gradient, one_shot_step (with exact=1), "
            "one_shot_likelihood, perplexity or difficulty; one_shot_context is faster with engine=openai_server",
            *(machine.world_size, type(scorer).__name__),
        )
        return
    from sei.lit import launch

    home = launch.emptied(folder / "scores")
    _write(home, scorer, given, kept)
    files = [home / f"values_{rank}.jsonl" for rank in range(machine.world_size)]
    read = dict.fromkeys(files, 0)
    with progress("refinement", _values_left(given, kept)) as advance:

        def follow() -> None:
            for file in files:
                read[file] = _take(file, read[file], kept, advance)

        launch.run(home, machine, follow, "the refinement")
    shutil.rmtree(home, ignore_errors=True)


def _write(home: Path, scorer: Scorer, given: Candidates, kept: Journal) -> None:
    job = {"kind": "scores", "scorer": node_of(scorer), "parent": [socket.gethostname(), os.getpid()]}
    write_atomic(home / "given.json", _CANDIDATES.dump_json(given))
    write_atomic(home / "kept.json", json.dumps(kept.names()).encode())
    write_atomic(home / "job.json", json.dumps(job, indent=1).encode())


def _take(file: Path, start: int, kept: Journal, advance: Callable[[int], None]) -> int:
    """Take over the values that a process has written since ``start``; return where the next ones begin."""
    if not file.exists():
        return start
    with file.open("rb") as f:
        f.seek(start)
        for line in f:
            if not line.endswith(b"\n"):
                break  # it is being written
            start += len(line)
            name, value = json.loads(line)
            kept.put(name, value)
            advance(_candidates_in(name, value))
    return start


class _Share(Journal):
    """A journal that makes every n-th new value, from number ``rank`` on, and takes none over."""

    def __init__(self, write: Callable[[str, Any], None], done: frozenset[str], rank: int, ranks: int) -> None:
        super().__init__({}, write)
        self.done, self.rank, self.ranks = done, rank, ranks
        self.seen: dict[str, int] = {}

    def once(self, name: str, make: Callable[[], Value], elsewhere: Value | None = None) -> Value:
        """Return the value if it is this process's, and ``elsewhere`` if not."""
        if name in self:
            found: Value = self.get(name)
            return found
        number = self.seen.setdefault(name, len(self.seen))
        if name in self.done or number % self.ranks != self.rank:
            assert elsewhere is not None, f"{name}: a scorer with independent values says what stands for it elsewhere"
            return elsewhere
        return super().once(name, make)


def _candidates_in(name: str, value: Any) -> int:
    """Return how many candidates a value is of: its name ends with the number of the first; others are of a type."""
    if not name.rpartition("/")[2].isdigit():
        return 0
    return len(value) if isinstance(value, list) else 1


def _values_left(given: Candidates, kept: Journal) -> int:
    """Return how many candidates have no value yet."""
    return max(1, len(given.examples) - sum(_candidates_in(n, kept.get(n)) for n in kept.names()))


def score(folder: Path, rank: int, ranks: int) -> None:
    """Make this process's share of the values, on a device of its own."""
    _choose_device()
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    done = frozenset(json.loads((folder / "kept.json").read_text(encoding="utf-8")))
    given = _CANDIDATES.validate_json((folder / "given.json").read_bytes())
    with (folder / f"values_{rank}.jsonl").open("a", encoding="utf-8") as f:

        def write(name: str, value: Any) -> None:
            f.write(json.dumps([name, value]) + "\n")
            f.flush()

        stage = built(job["scorer"], "refiner")  # a scorer is built within its stage
        stage.scorer.scores(given, _Share(write, done, rank, ranks))


def _choose_device() -> None:
    """Let this process see its own GPU alone, before torch looks for them."""
    import torch

    if not torch.cuda.device_count():
        return
    seen = [x for x in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if x]
    local = int(os.environ.get("LOCAL_RANK", "0"))
    os.environ["CUDA_VISIBLE_DEVICES"] = seen[local] if seen else str(local)
