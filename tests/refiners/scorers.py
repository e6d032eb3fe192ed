"""Scorers with small models, and cases and candidates for them."""

from __future__ import annotations

from sei.engines.lightning import LightningEngine
from sei.grading import MathGrader
from sei.lit.trainer import TrainerSettings
from sei.records import RefineInput
from sei.refiners.difficulty import Difficulty
from sei.refiners.gradient import Gradient
from sei.refiners.one_shot_context import OneShotContext
from sei.refiners.one_shot_likelihood import OneShotLikelihood
from sei.refiners.one_shot_step import OneShotStep
from sei.refiners.perplexity import Perplexity
from tests.builders import TINY, candidate, held_against, sums

CASES = [sums(a, 5) for a in range(11, 17)]
CANDIDATES = tuple(candidate(i, sums(20 + i, 3 + i % 4)) for i in range(40))
ENGINE = LightningEngine(trainer=TrainerSettings(), batch_size=16, max_new_tokens=8)
SETTINGS = {"target": TINY}
SCORERS = {
    "step": OneShotStep(**SETTINGS),
    "ranked": OneShotStep(**SETTINGS, exact=0.25),
    "gradient": Gradient(**SETTINGS),
    "perplexity": Perplexity(**SETTINGS, batch_size=4),
    "difficulty": Difficulty(**SETTINGS, batch_size=4),
    "likelihood": OneShotLikelihood(**SETTINGS, bad=3, good=0),
    "context": OneShotContext(**SETTINGS, engine=ENGINE, grader=MathGrader(), bad=3, good=0, rows=8),
    "race": OneShotContext(**SETTINGS, engine=ENGINE, grader=MathGrader(), bad=3, good=0, rows=8, race=True, step=1),
    "engine": OneShotContext(**SETTINGS, engine=ENGINE, grader=MathGrader(), bad=3, good=0, reuse_prefix=False),
}


def asked(candidates) -> RefineInput:
    return RefineInput(checkpoint=TINY.base(), error_map=held_against(*CASES), candidates=candidates)
