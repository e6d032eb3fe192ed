"""``Store.once`` and ``Store.each``: make a result only if it does not exist yet."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar, get_type_hints, overload

import pydantic

from sei.devices import noting, together
from sei.errors import ConfigError
from sei.former import FORMER
from sei.parts import identity_of
from sei.store import why
from sei.store.files import appending, locked, quarantine, read_rows, relocated, write_atomic
from sei.store.identity import canonical, digest, file_digest

log = logging.getLogger("sei.store")

Out = TypeVar("Out")
Given = ParamSpec("Given")
Context = TypeVar("Context", contravariant=True)
Item = TypeVar("Item", contravariant=True)
Row = TypeVar("Row", covariant=True)

RUNS = "runs"  # a folder next to those of the stages: which run used which entries
_FULL_HASH_LIMIT = 64 * 2**20  # larger files are checked by size alone on every read
_ROOT = "store://"  # replaces the store's folder in written paths, so that a store can be moved


class EachOf(Protocol[Item, Row]):
    """A stage that makes one row per item."""

    def __call__(self, *, items: Sequence[Item], done: frozenset[int]) -> Iterable[tuple[int, Row]]:
        """Yield (index, row) for every item not in ``done``."""
        ...


class EachWith(Protocol[Context, Item, Row]):
    """A stage that makes one row per item, given something that all rows share, such as a checkpoint."""

    def __call__(
        self, context: Context, /, *, items: Sequence[Item], done: frozenset[int]
    ) -> Iterable[tuple[int, Row]]:
        """Yield (index, row) for every item not in ``done``."""
        ...


@dataclass(frozen=True, kw_only=True)
class Use:
    """One use of the store: the stage, whether its result was made or reused, the seconds of making it, and the device.

    ``device`` is empty if the entry was made before devices were recorded.
    """

    stage: str
    key: str
    made: int
    reused: int
    seconds: float
    device: str = ""


@dataclass(kw_only=True)
class Store:
    """A folder of finished stage results, shared by runs and sweep jobs.

    ``uses``: the requests of this process, in order. ``at``: the stage in progress or, after an error, the stage that
    failed.
    """

    root: Path
    uses: list[Use] = field(default_factory=list)
    at: str = ""
    _run: tuple[str, Path, str] | None = field(default=None, init=False)
    _needed: set[tuple[str, str]] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.root = self.root.expanduser().resolve()

    def once(self, stage: Callable[Given, Out], *inputs: Given.args, **offered: Given.kwargs) -> Out:
        """Return the result of ``stage(*inputs)``, making it only if no finished entry exists.

        The types of inputs are checked against the stage's ``__call__``, or that of its Protocol. The keywords of a
        Protocol (``seed``, ``checkpoint``) are ``offered``: a stage that takes one gets its value, which becomes part
        of the key; others are ignored. A stage that takes ``folder`` gets a folder from the start, where it finds its
        own partial work after a crash.
        """
        hints = _hints(stage)
        extra: dict[str, Any] = {k: v for k, v in offered.items() if k in hints}
        key = digest(stage, list(inputs), extra)
        home = self._home(stage, key)
        adapter: pydantic.TypeAdapter[Out] = pydantic.TypeAdapter(hints["return"])
        self._need(stage, key)
        with locked(home):
            held = self._read(home, adapter)
            if held is not None:
                self._note(stage, key, made=0, reused=1, seconds=held[1], device=held[2])
                return held[0]
            self._describe(home, stage, inputs, **extra)
            if "folder" in hints:
                (home / "files").mkdir(parents=True, exist_ok=True)
                extra["folder"] = home / "files"
            start, self.at = time.perf_counter(), _name(stage)
            with noting() as noted:
                result = stage(*inputs, **extra)
            seconds, device = time.perf_counter() - start, together(noted)
            entry = {"stage": _name(stage), "key": key, "seconds": seconds, "device": device}
            self._write(home, adapter, result, entry)
            self._note(stage, key, made=1, reused=0, seconds=seconds, device=device)
            held = self._read(home, adapter)  # read back what a later run will see
            assert held is not None, "an entry just written must be readable"
            return held[0]

    def found(self, stage: Callable[Given, Out], *inputs: Given.args, **offered: Given.kwargs) -> Out | None:
        """Return a finished result if there is one; never makes one."""
        hints = _hints(stage)
        home = self._home(stage, digest(stage, list(inputs), {k: v for k, v in offered.items() if k in hints}))
        held = self._read(home, pydantic.TypeAdapter(hints["return"]))
        return held[0] if held else None

    def kept(self, stage: EachWith[Context, Item, Row], context: Context, *, items: Sequence[Item]) -> tuple[Row, ...]:
        """Return the stored rows for some items; never makes one."""
        home = self._home(stage, digest(stage, [context]))
        ids = [digest(item) for item in items]
        adapter: pydantic.TypeAdapter[Row] = pydantic.TypeAdapter(stage.row_type)  # type: ignore[attr-defined]
        rows, *_ = read_rows(home / "rows.jsonl", adapter, frozenset(ids))
        return tuple(rows[i] for i in ids if i in rows)

    @overload
    def each(self, stage: EachOf[Item, Row], /, *, items: Sequence[Item]) -> tuple[Row, ...]: ...

    @overload
    def each(
        self, stage: EachWith[Context, Item, Row], context: Context, /, *, items: Sequence[Item]
    ) -> tuple[Row, ...]: ...

    def each(self, stage: Any, /, *context: Any, items: Sequence[Any]) -> tuple[Any, ...]:
        """Return one row per item. Rows are stored by item, so one changed item redoes one row.

        ``stage(*context, items=..., done=...)`` yields ``(index, row)``. ``done`` has the indices of stored rows, so
        the stage can skip them without changing the batches of the others. A row with a ``fault`` (why there is no
        result) is returned but not stored, so the next run tries again.
        """
        key = digest(stage, list(context))
        home = self._home(stage, key)
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(stage.row_type)
        ids = [digest(item) for item in items]
        self._need(stage, key)
        with locked(home):
            rows, seconds, device = read_rows(home / "rows.jsonl", adapter, frozenset(ids))
            done = {i for i, d in enumerate(ids) if d in rows}
            made = 0
            if len(done) < len(ids):
                if not (home / "about.json").exists():
                    self._describe(home, stage, context)
                last, self.at = time.perf_counter(), _name(stage)
                with appending(home / "rows.jsonl") as append, noting() as noted:
                    for index, row in stage(*context, items=items, done=frozenset(done)):
                        if ids[index] in rows:
                            continue
                        now = time.perf_counter()
                        rows[ids[index]], seconds[ids[index]] = row, round(now - last, 6)
                        device[ids[index]] = together(noted)
                        if not getattr(row, "fault", ""):
                            append(ids[index], adapter.dump_python(row, mode="json"), now - last, together(noted))
                        last, made = now, made + 1
            used = " + ".join(sorted({device[i] for i in ids} - {""}))
            spent = sum(seconds[i] for i in set(ids))
            self._note(stage, key, made=made, reused=len(done), seconds=spent, device=used)
        return tuple(rows[i] for i in ids)

    @property
    def place(self) -> str:
        """Return where the work is, in words: in a stage, after the last one, or before the first."""
        if self.at:
            return f"in {self.at}"
        return f"after {self.uses[-1].stage}" if self.uses else "before the first stage"

    def aside(self) -> Store:
        """Return this store for things that are no results, such as pictures: their uses are not counted here.

        Pruning knows that the run needs their entries, too.
        """
        other = Store(root=self.root)
        other._run, other._needed = self._run, self._needed
        return other

    def keep_run(self, run_id: str, folder: Path, label: str) -> None:
        """Remember from now on the entries that a run asks for, so that pruning knows what is still needed.

        An entry counts as soon as it is asked for: a run that is killed needs what it was making. What an earlier
        start of the same run asked for stays.
        """
        self._run = (run_id, folder.resolve(), label)
        with contextlib.suppress(OSError, ValueError, KeyError):  # there is none yet, or it is damaged
            held = json.loads(self._record(run_id, folder).read_text(encoding="utf-8"))
            self._needed.update((stage, key) for stage, key in held["entries"])
        self._remember()

    def _need(self, stage: Any, key: str) -> None:
        if (_name(stage), key) not in self._needed:
            self._needed.add((_name(stage), key))
            self._remember()

    def _remember(self) -> None:
        if self._run is None:
            return
        run_id, folder, label = self._run
        run = {"folder": str(folder), "label": label, "created": time.time(), "entries": sorted(self._needed)}
        write_atomic(self._record(run_id, folder), json.dumps(run, indent=1).encode())

    def _record(self, run_id: str, folder: Path) -> Path:
        """Return the file of a run. Runs with equal settings in two folders have the same id, and each needs a file."""
        return self.root / RUNS / f"{run_id}-{digest(str(folder.resolve()))[:8]}.json"

    def _home(self, stage: Any, key: str) -> Path:
        return self.root / _name(stage) / key

    def _note(self, stage: Any, key: str, *, seconds: float, **more: Any) -> None:
        use = Use(stage=_name(stage), key=key, seconds=round(seconds, 3), **more)
        self.uses.append(use)
        self.at = ""
        log.info("%-14s %s  made %d, reused %d", use.stage, key[:8], use.made, use.reused)

    def _describe(self, home: Path, stage: Any, inputs: Sequence[Any], seed: int | None = None, **taken: Any) -> None:
        """Write what the entry will contain, and log why it has to be made."""
        names = list(inspect.signature(type(stage).__call__).parameters)[1:]
        given = {n: digest(x) for n, x in (*zip(names, inputs, strict=False), *taken.items())}
        about = {"settings": canonical(stage), "inputs": given, "seed": seed}
        reason = why.reason(about, home)
        log.info("%-14s %s  to be made%s", _name(stage), home.name[:8], f": {reason}" if reason else "")
        write_atomic(home / "about.json", json.dumps(about, indent=1).encode())

    def _write(self, home: Path, adapter: pydantic.TypeAdapter[Any], result: Any, entry: dict[str, Any]) -> None:
        data = relocated(adapter.dump_python(result, mode="json"), f"{self.root}/", _ROOT)
        lines = data if isinstance(data, list) else [data]
        body = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in lines).encode()
        write_atomic(home / "result.jsonl", body)
        files = sorted(p for p in (home / "files").rglob("*") if p.is_file())
        entry["result"] = hashlib.sha256(body).hexdigest()
        entry["rows"] = isinstance(data, list)
        entry["files"] = {p.relative_to(home).as_posix(): [p.stat().st_size, file_digest(p)] for p in files}
        entry["created"] = time.time()
        write_atomic(home / "entry.json", json.dumps(entry, indent=1).encode())

    def _read(self, home: Path, adapter: pydantic.TypeAdapter[Out]) -> tuple[Out, float, str] | None:
        if not (home / "entry.json").exists():
            return None
        try:
            entry = json.loads((home / "entry.json").read_text())
            body = (home / "result.jsonl").read_bytes()
            if hashlib.sha256(body).hexdigest() != entry["result"]:
                raise ValueError("result.jsonl differs from its digest")
            for name, (size, sha) in entry["files"].items():
                path = home / name
                if path.stat().st_size != size or (size <= _FULL_HASH_LIMIT and file_digest(path) != sha):
                    raise ValueError(f"{name} differs from its digest")
            lines = [line for line in body.split(b"\n") if line]
            text = b"[" + b",".join(lines) + b"]" if entry["rows"] else lines[0]
            if _ROOT.encode() in text:
                text = json.dumps(relocated(json.loads(text), _ROOT, f"{self.root}/")).encode()
            made = adapter.validate_json(text)
            return made, float(entry["seconds"]), str(entry.get("device", ""))
        except (OSError, ValueError, KeyError, IndexError) as e:
            quarantine(home, e)
            return None


def _hints(stage: Any) -> dict[str, Any]:
    hints = get_type_hints(type(stage).__call__)
    if "return" not in hints:
        raise ConfigError(
            f"{type(stage).__name__}.__call__ has no return annotation. Rule: the store reads results back by "
            "that type. Remedy: annotate it as its Protocol in sei.ports does."
        )
    return hints


def _name(stage: Any) -> str:
    """Return the folder of a stage's entries: the last word of its name as spelled in keys."""
    name = identity_of(type(stage))
    return re.split(r"[./]", FORMER.get(name, name))[-1].lower()
