"""Pictures are drawn once for the same results, wherever they are shown."""

from __future__ import annotations

import json

import pytest

from sei.records import RefinedSet, Scored
from sei.report import pictures
from sei.report.flow import places
from sei.report.pictures import Shown, draw
from sei.store import Store, digest
from tests.builders import candidates
from tests.report.run_folders import scores
from tests.report.run_folders import small_record as record

FIRST, SECOND = record(1, {"adds": [0, 1, 2], "stops": [3]}), record(2, {"adds": [1]})
SHOWN = Shown(
    error_map=FIRST.error_map,
    refined=RefinedSet(scored=tuple(Scored(example=c, score=0.5, kept=True, reason="r") for c in candidates(a=3))),
    stages=(("base", scores(50)), ("round 1", scores(60))),
    places=(places(FIRST), places(SECOND)),
)


@pytest.fixture
def drawn(monkeypatch):
    """Draw nothing, but note the names of the pictures."""
    names = []

    def save(_, path):
        names.append(path.name)
        path.write_bytes(b"a picture")

    monkeypatch.setattr("sei.report.plots.save", save)
    monkeypatch.setattr("sei.report.histograms.save", save)
    return names


def test_a_second_run_folder_gets_copies(tmp_path, drawn):
    store = Store(root=tmp_path / "store")
    draw(SHOWN, tmp_path / "one", 1, store)
    once = sorted(drawn)
    draw(SHOWN, tmp_path / "two", 1, Store(root=tmp_path / "store"))
    assert sorted(drawn) == once
    for run in (tmp_path / "one", tmp_path / "two"):
        of_run = [p.name for p in run.glob("*.png")]
        of_round = [p.name for p in run.glob("round_1/*.png")]
        assert sorted(of_run) == ["error_type_flow.png", "scores.png"]
        assert sorted([*of_run, *of_round]) == once
        assert not any(p.is_symlink() for p in run.rglob("*"))
    (tmp_path / "one" / "scores.png").write_bytes(b"edited")
    assert (tmp_path / "two" / "scores.png").read_bytes() == b"a picture"


def test_pictures_are_no_result_but_the_run_needs_them(tmp_path, drawn):
    store = Store(root=tmp_path / "store")
    store.keep_run("run", tmp_path, "label")
    draw(SHOWN, tmp_path, 1, store)
    assert store.uses == []
    (kept,) = (store.root / "runs").glob("run-*.json")
    held = json.loads(kept.read_text())
    assert [stage for stage, _ in held["entries"]] == ["pictures"]


def test_other_results_or_other_code_are_drawn_again(tmp_path, drawn, monkeypatch):
    store = Store(root=tmp_path / "store")
    draw(SHOWN, tmp_path, 1, store)
    before = len(drawn)
    draw(Shown(error_map=SECOND.error_map), tmp_path, 2, store)
    assert sorted(drawn[before:]) == ["cluster_map.png", "criterion_curve.png"]
    was = digest(pictures.Pictures())
    monkeypatch.setattr(pictures, "_SOURCES", ("plots.py",))
    assert digest(pictures.Pictures()) != was


def test_a_damaged_picture_is_drawn_again(tmp_path, drawn):
    store = Store(root=tmp_path / "store")
    draw(SHOWN, tmp_path, 1, store)
    before = len(drawn)
    next(store.root.rglob("scores.png")).write_bytes(b"cut")
    draw(SHOWN, tmp_path, 1, store)
    assert len(drawn) == 2 * before
    assert (tmp_path / "scores.png").read_bytes() == b"a picture"
