from __future__ import annotations

import ast
import json

import pytest

from sei.models.target import TargetModel
from tests import stage_sources


def test_no_source_changed_without_a_new_version():
    held = json.loads(stage_sources.TABLE.read_text())
    found = stage_sources.changed(held)
    assert found == [], "raise the version of these parts, then run: python -m tests.stage_sources"
    assert len(held) > 15


@pytest.fixture
def edited(monkeypatch):
    """Return a function that edits a module's text for the table only."""
    caches = (stage_sources._module, stage_sources._dump, stage_sources._names_of)

    def edit(old: str, new: str) -> set[str]:
        before = {k: v["source"] for k, v in json.loads(stage_sources.TABLE.read_text()).items()}
        real, places = ast.parse, []

        def parse(text, *more, **named):
            if old in text and "import" in text:
                places.append(text)
                text = text.replace(old, new)
            return real(text, *more, **named)

        for c in caches:
            c.cache_clear()
        monkeypatch.setattr(stage_sources.ast, "parse", parse)
        after = {k: v["source"] for k, v in stage_sources.current().items()}
        assert len(places) == 1
        return {k for k in before if before[k] != after[k]}

    yield edit
    monkeypatch.undo()
    for c in caches:
        c.cache_clear()


@pytest.mark.parametrize(
    ("old", "new", "touched"),
    [
        ("Remedy: write one object a row.", "Remedy: another file.", set()),  # a message in sei/rows.py
        (
            'rng = random.Random(f"refine/{given.seed}")',
            'rng = random.Random(f"again/{given.seed}")',
            {"refiner/random"},
        ),
        (
            "return max(1, round(members * keep))",
            "return max(2, round(members * keep))",
            {"stage/refine", "refiner/one_shot_context"},
        ),
    ],
    ids=["message", "part", "helper"],
)
def test_an_edit_touches_the_parts_that_rest_on_it_and_no_others(edited, old, new, touched):
    found = edited(old, new)
    assert touched <= found
    assert found <= {k for k in found if k.startswith(("refiner/", "stage/refine"))}


def test_a_part_rests_on_what_it_names_not_on_parts_it_holds():
    found = stage_sources.sources(stage_sources.parts()["refiner/gradient"])
    assert ("sei.lit.one_step", "Gradients") in found
    assert (TargetModel.__module__, "TargetModel") not in found
    assert not [m for m, _ in found if m.startswith("sei.store")]
