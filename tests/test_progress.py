"""Long work shows its progress: by counts, and inside a long step."""

from __future__ import annotations

import logging
from typing import ClassVar

from sei import progress
from sei.engines.lightning import LightningEngine
from sei.lit.trainer import TrainerSettings
from tests.builders import TINY, pool


def test_lines_come_at_most_every_so_many_seconds(monkeypatch, caplog):
    clock = iter([0.0, 1.0, 20.0, 21.0, 40.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO), progress.progress("attempts", 10) as advance:
        advance(1)
        advance(4)
        progress.inside(advance)("token 16 of at most 64")
        progress.inside(advance)("token 32 of at most 64")
    assert [r.getMessage() for r in caplog.records] == [
        "attempts: 5/10, about 20 s left",
        "attempts: 5/10, token 32 of at most 64",
    ]


def test_a_terminal_shows_words_beside_the_bar():
    class Bar:
        said: ClassVar[list] = []

        def update(self, task, **what):
            self.said.append(what)

    advance = progress._Bar(Bar(), 0, "attempts")
    progress.inside(advance)("token 16 of at most 64")
    advance(2)
    assert Bar.said == [{"description": "attempts: token 16 of at most 64"}, {"advance": 2, "description": "attempts"}]


def test_a_batch_tells_its_tokens(monkeypatch, caplog):
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    engine = LightningEngine(trainer=TrainerSettings(), batch_size=8, max_new_tokens=40)
    with caplog.at_level(logging.INFO), engine.open(TINY, TINY.base()) as opened:
        list(engine.answer(opened, opened.prompts([p.question for p in pool()[:8]]), frozenset(), "attempts"))
    assert any("attempts: 0/8, token 16 of at most 40" in r.getMessage() for r in caplog.records)


def test_a_stand_in_without_words_will_do():
    assert progress.inside(lambda n: None)("x") is None
