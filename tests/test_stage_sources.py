from __future__ import annotations

import json

from tests import stage_sources


def test_no_source_changed_without_a_new_version():
    held = json.loads(stage_sources.TABLE.read_text())
    changed = [k for k, v in stage_sources.current().items() if held.get(k) != v]
    assert changed == [], "raise the version of these parts, then run: python -m tests.stage_sources"
    assert len(held) > 15


def test_a_changed_line_changes_the_digest_and_a_docstring_does_not(monkeypatch):
    import ast

    before = stage_sources.source("sei.stages.refine")
    real = stage_sources._tree

    def edited(module: str) -> ast.Module:
        tree = real(module)
        if module == "sei.stages.refine":
            tree.body.append(ast.parse("X = 1").body[0])
        return tree

    monkeypatch.setattr(stage_sources, "_tree", edited)
    assert stage_sources.source("sei.stages.refine") != before
