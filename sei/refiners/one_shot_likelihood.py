"""A cheaper variant of the paper's test: how much a candidate raises the likelihood of reference solutions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, ClassVar

from pydantic import Field

from sei.models.target import TargetModel
from sei.parts import part
from sei.progress import progress
from sei.prompts import asked
from sei.refiners.questions import questions_of, weights_of
from sei.scorer import Candidates, pair_of
from sei.store.journal import Journal


@part
class OneShotLikelihood:
    """Measures how much likelier the reference solutions become with the candidate shown before their questions.

    This is a cheaper variant of the paper's test: nothing is generated. The questions are those of ``OneShotContext``.
    Score: the mean log-probability per solution token (nats), averaged over both groups of questions, with the
    candidate shown minus without it. Above 0 the candidate helps.
    """

    identity: ClassVar[str] = "refiner/one_shot_likelihood"
    version: ClassVar[int] = 2
    target: TargetModel
    bad: Annotated[int, Field(ge=1)] = 10
    good: Annotated[int, Field(ge=0)] = 10
    min_validation: Annotated[int, Field(ge=1)] = 5
    rows: Annotated[int, Field(ge=1)] = 64

    @property
    def max_validation(self) -> int:
        """Return the largest number of validation cases per candidate."""
        return self.bad

    @property
    def independent(self) -> bool:
        """Return whether several processes can share the values out: each is made without the others."""
        return True

    def scores(self, given: Candidates, kept: Journal) -> list[float]:
        """Score every candidate by the log-probability that it adds to the reference solutions."""
        from sei.lit.shared_prefix import SharedPrefix

        of_type, candidates = questions_of(given, self.good), given.examples
        names = [c.error_type if c.error_type in of_type else "" for c in candidates]
        with (
            self.target.open(given.checkpoint) as opened,
            progress("refinement", len(candidates)) as advance,
        ):
            shared = SharedPrefix(opened, rows=self.rows)

            def groups(shown: Sequence[tuple[str, tuple[str, str] | None]]) -> list[float]:
                asks = [[p for g in of_type[name] for p in g] for name, _ in shown]
                texts = [
                    opened.prompts([asked(p.question, p.options) for p in problems], demonstration)
                    for problems, (_, demonstration) in zip(asks, shown, strict=True)
                ]
                values = shared.log_likelihoods(
                    [[(t, p.solution) for t, p in zip(ts, ps, strict=True)] for ts, ps in zip(texts, asks, strict=True)]
                )
                return [
                    sum(w * v for w, v in zip(weights_of(of_type[name]), row, strict=True))
                    for (name, _), row in zip(shown, values, strict=True)
                ]

            alone = kept.once("alone", lambda: groups([(name, None) for name in of_type]), [0.0] * len(of_type))
            bare = dict(zip(of_type, alone, strict=True))
            scores = []
            for start in range(0, len(candidates), 16):
                block = range(start, min(start + 16, len(candidates)))
                shown = [(names[i], pair_of(candidates[i])) for i in block]
                values = kept.once(f"block/{start}", partial(groups, shown), [0.0] * len(shown))
                scores += [v - bare[name] for (name, _), v in zip(shown, values, strict=True)]
                advance(len(block))
        return scores
