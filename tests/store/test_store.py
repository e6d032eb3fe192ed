from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar

import pytest

from sei.parts import IMMATERIAL, part
from sei.records import Checkpoint, CurvePoint
from sei.store import Store, canonical, digest
from tests.builders import graded, held_out, problem

CALLS: list[object] = []


@part
class Double:
    version: ClassVar[int] = 1
    factor: int = 2
    workers: Annotated[int, IMMATERIAL] = 1

    def __call__(self, points: tuple[CurvePoint, ...]) -> tuple[CurvePoint, ...]:
        CALLS.append(points)
        return tuple(replace(p, num_types=p.num_types * self.factor) for p in points)


@part
class Rows:
    version: ClassVar[int] = 1
    row_type: ClassVar[type] = CurvePoint
    fail_at: int = -1

    def __call__(self, *, items: list[CurvePoint], done: frozenset[int]):
        for i, item in enumerate(items):
            if i == self.fail_at:
                raise RuntimeError("stopped half-way")
            if i not in done:
                CALLS.append(i)
                yield i, item


@part
class Files:
    version: ClassVar[int] = 1

    def __call__(self, x: int, *, seed: int, folder: Path) -> Checkpoint:
        CALLS.append(seed)
        (folder / "weights.bin").write_bytes(bytes([x]) * 100)
        return Checkpoint(digest=str(seed))


@pytest.fixture(autouse=True)
def _fresh():
    CALLS.clear()


POINTS = (CurvePoint(num_types=1, score=0.5), CurvePoint(num_types=2, score=0.25))


def test_a_stage_is_made_once_and_read_back_equal(tmp_path):
    first = Store(root=tmp_path).once(Double(), POINTS)
    again = Store(root=tmp_path).once(Double(), POINTS)
    assert first == again == tuple(replace(p, num_types=p.num_types * 2) for p in POINTS)
    assert len(CALLS) == 1


def test_settings_inputs_and_seed_are_in_the_key(tmp_path):
    store = Store(root=tmp_path)
    store.once(Double(), POINTS)
    store.once(Double(workers=8), POINTS)
    assert len(CALLS) == 1
    store.once(Double(factor=3), POINTS)
    store.once(Double(), POINTS[:1])
    assert len(CALLS) == 3
    store.once(Files(), 1, seed=1)
    store.once(Files(), 1, seed=2)
    store.once(Files(), 1, seed=1)
    assert CALLS[3:] == [1, 2]


@part
class Takes:
    """Takes one of the offered keywords."""

    version: ClassVar[int] = 1

    def __call__(self, number: int, *, seed: int, wanted: int) -> int:
        CALLS.append(number)
        return number + wanted


def test_only_what_a_stage_takes_of_an_offer_is_in_its_key(tmp_path):
    store = Store(root=tmp_path)
    assert store.once(Takes(), 1, seed=1, wanted=5, other=1) == 6
    assert store.once(Takes(), 1, seed=1, wanted=5, other=2) == 6
    assert len(CALLS) == 1
    assert store.once(Takes(), 1, seed=1, wanted=7) == 8
    plain = store.uses[-1].key
    store.once(Files(), 1, seed=1)
    store.once(Files(), 1, seed=1, wanted=5)
    assert store.uses[-1].key == store.uses[-2].key != plain


@pytest.mark.parametrize("name", ["result.jsonl", "files/weights.bin"])
def test_damage_is_found_and_the_entry_made_again(tmp_path, name):
    """F22."""
    store = Store(root=tmp_path)
    store.once(Files(), 7, seed=1)
    (home,) = (p for p in (tmp_path / "files").iterdir() if p.is_dir())
    data = bytearray((home / name).read_bytes())
    data[3] ^= 1
    (home / name).write_bytes(bytes(data))
    Store(root=tmp_path).once(Files(), 7, seed=1)
    assert len(CALLS) == 2
    assert list((tmp_path / "files").glob("*.damaged-*")), "the damaged entry is kept for inspection"


def test_an_entry_without_its_done_marker_is_made_again(tmp_path):
    store = Store(root=tmp_path)
    store.once(Double(), POINTS)
    next(tmp_path.rglob("entry.json")).unlink()
    store.once(Double(), POINTS)
    assert len(CALLS) == 2


def test_one_changed_item_redoes_one_row(tmp_path):
    """F27."""
    items = [CurvePoint(num_types=i, score=0.0) for i in range(5)]
    store = Store(root=tmp_path)
    store.each(Rows(), items=items)
    CALLS.clear()
    items[3] = CurvePoint(num_types=3, score=0.9)
    rows = store.each(Rows(), items=items)
    assert CALLS == [3]
    assert [r.score for r in rows] == [0, 0, 0, 0.9, 0]


def test_rows_survive_a_crash_and_a_torn_last_line(tmp_path):
    """F22."""
    items = [CurvePoint(num_types=i, score=0.0) for i in range(5)]
    with pytest.raises(RuntimeError):
        Store(root=tmp_path).each(Rows(fail_at=3), items=items)
    path = next(tmp_path.rglob("rows.jsonl"))
    text = path.read_text()
    assert text.count("\n") == 3
    path.write_text(text[:-10])  # the third row is incomplete
    with pytest.raises(RuntimeError):
        Store(root=tmp_path).each(Rows(fail_at=3), items=items)
    assert CALLS == [0, 1, 2, 2]


def test_two_jobs_wait_for_each_other_instead_of_making_twice(tmp_path):
    """F25."""

    @part
    class Slow:
        version: ClassVar[int] = 1

        def __call__(self, x: int) -> CurvePoint:
            CALLS.append(x)
            time.sleep(0.3)
            return CurvePoint(num_types=x, score=0.0)

    import typing

    assert typing.get_type_hints(Slow.__call__)["return"] is CurvePoint
    threads = [threading.Thread(target=lambda: Store(root=tmp_path).once(Slow(), 1)) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert CALLS == [1]


def test_where_a_checkpoint_lies_is_not_its_identity():
    assert digest(Checkpoint(digest="a", folder="/x")) == digest(Checkpoint(digest="a", folder="/y"))
    assert digest(Checkpoint(digest="a")) != digest(Checkpoint(digest="b"))


def test_lists_that_join_alike_have_other_digests():
    assert digest(["x", "y"]) != digest(["x-y"])
    assert digest("1") != digest(1)


def test_objects_without_identity_are_refused():
    with pytest.raises(TypeError, match="stable identity"):
        canonical(lambda: None)


def test_rows_of_other_items_are_neither_checked_nor_lost(tmp_path):
    items = [CurvePoint(num_types=i, score=0.0) for i in range(5)]
    Store(root=tmp_path).each(Rows(), items=items)
    path = next(tmp_path.rglob("rows.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1].replace(b'"sha": "', b'"sha": "x'), *lines[2:], lines[4][:-10]]))
    CALLS.clear()
    Store(root=tmp_path).each(Rows(), items=[items[0], items[3]])
    assert CALLS == []
    assert path.read_bytes().splitlines()[1].startswith(lines[1][:20]), "a damaged row of another item stays"
    assert len(path.read_bytes().splitlines()) == 5, "a torn last line is dropped, whatever its item"
    Store(root=tmp_path).each(Rows(), items=items)
    assert CALLS == [1]


def test_a_digest_is_that_of_the_plain_rule():
    """``canonical`` as it was before it learned what the objects of a class are."""

    def plain(obj):
        if dataclasses.is_dataclass(obj):
            names = getattr(obj, "IDENTITY", None) or [f.name for f in dataclasses.fields(obj)]
            names = [n for n in names if n not in getattr(obj, "UNLESS_EMPTY", ()) or getattr(obj, n)]
            return {"record": type(obj).__name__, **{n: plain(getattr(obj, n)) for n in names}}
        if isinstance(obj, (tuple, list)):
            return [plain(o) for o in obj]
        return {str(k): plain(v) for k, v in obj.items()} if isinstance(obj, dict) else obj

    mixed = {"b": (1, None), "a": [True, 0.5, "x"]}
    for given in (graded(problem(1), "wrong"), graded(held_out("x"), "right"), mixed):
        text = json.dumps([plain(given)], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert digest(given) == hashlib.sha256(text.encode()).hexdigest()[:24]
