"""Adds out-of-domain test sets to a data set, and keeps their problems apart from what is learnt or chosen on."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import TypeVar

from sei.data.ids import tell_apart
from sei.data.study import Benchmark
from sei.errors import ConfigError, DataError
from sei.exchange import DataSet
from sei.records import HeldOutProblem, PoolProblem, TrainingExample
from sei.signature import masked_signature

log = logging.getLogger(__name__)
_Question = TypeVar("_Question", PoolProblem, HeldOutProblem, TrainingExample)


def with_benchmarks(data: DataSet, benchmarks: dict[str, Benchmark]) -> DataSet:
    """Add out-of-domain test sets to a data set; what is learnt or chosen on leaves out the problems that are in one.

    These are pool, dev and warm-up problems with the masked signature of a problem of a benchmark.

    Raises:
        ConfigError: if two sets have the same name, or a name is not possible in a file name.
    """
    names = {p.set for p in data.held_out}
    for name in sorted({*names, *(b.name for b in benchmarks.values())}):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise ConfigError(
                f"data set name {name!r}: letters, digits, - _ . only (it is part of file names). Remedy: rename it "
                "in the config (data.tests, or the set's name)."
            )
    if not benchmarks:
        return data
    held = list(data.held_out)
    taken = {x.id for x in data.pool} | {x.id for x in data.held_out} | {x.id for x in data.warm_up}
    for b in benchmarks.values():
        if b.name in names:
            raise ConfigError(f"benchmarks: {b.name!r} appears twice. Rule: names are unique. Remedy: drop one.")
        names.add(b.name)
    for name, rows in tell_apart({b.name: b.test() for b in benchmarks.values()}, taken).items():
        held += [r.held_out(name, "out_of_domain") for r in rows]
    forbidden = {masked_signature(p.question) for p in held if p.role != "dev"}
    pool, warm_up = _without(data.pool, forbidden), _without(data.warm_up, forbidden)
    kept = {p.id for p in _without([p for p in held if p.role == "dev"], forbidden)}
    held = [p for p in held if p.role != "dev" or p.id in kept]
    out = DataSet(pool=pool, held_out=tuple(held), warm_up=warm_up)
    _tell_of_shared(data, out)
    return out


def _without(rows: Sequence[_Question], forbidden: set[str]) -> tuple[_Question, ...]:
    return tuple(x for x in rows if masked_signature(x.question) not in forbidden)


def _tell_of_shared(before: DataSet, after: DataSet) -> None:
    """Say how many problems are in a benchmark.

    Raises:
        DataError: if none are left in the pool, on dev or among the warm-up pairs.
    """
    dev = [[p for p in data.held_out if p.role == "dev"] for data in (before, after)]
    for name, whole, rest in (
        ("pool", before.pool, after.pool),
        ("dev", *dev),
        ("warm-up", before.warm_up, after.warm_up),
    ):
        lost = f"{len(whole) - len(rest)} of {len(whole)} {name} problems are in a benchmark"
        if whole and not rest:
            raise DataError(f"{lost}. Rule: nothing is learnt or chosen on test problems. Remedy: drop the benchmark.")
        if len(rest) < len(whole):
            log.warning("%s and are left out", lost)
