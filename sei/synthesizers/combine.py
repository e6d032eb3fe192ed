"""Synthesis that carries an error type's mistake into the settings of other problems.

Self-instruct varies the problems in which a mistake was made. The model may then learn these problems without
unlearning the mistake. This synthesizer combines the mistake with the events of other problems, at different steps.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Instructor, Screen
from sei.prompts import prompt_digest
from sei.records import ErrorMap, PoolProblem, Synthesis
from sei.stages.synthesize import Budget, claim_of, estimated, exemplars, synthesize
from sei.synthesizers.per_problem import questions, require_tasks


@part
class Combine:
    """Each request shows exemplars of a type, as in self-instruct, and ``contexts`` other problems.

    Contexts are the exemplars of all error types and the solved problems that training may replay, so they do not
    depend on the clusterer. Types share the budget by ``budget.balance``.
    """

    identity: ClassVar[str] = "synthesizer/combine"
    version: ClassVar[int] = 4
    instructor: Instructor
    budget: Budget
    contexts: Annotated[int, Field(ge=1, le=50)] = 6

    def __post_init__(self) -> None:
        """Refuse an instructor that cannot combine problems."""
        require_tasks(self.instructor, ("combine",), "synthesizer=combine", "synthesizer=self_instruct")

    def reads(self) -> dict[str, str]:
        """Return the digest of the prompt template."""
        return {"combine.v1": prompt_digest("combine.v1")}

    def __call__(
        self,
        error_map: ErrorMap,
        pool: tuple[PoolProblem, ...],
        screen: Screen,
        round: int,
        *,
        replay: tuple[PoolProblem, ...],
        seed: int,
    ) -> Synthesis:
        """Return the candidates of a round, each under the error type of its mistake."""
        quotas = self.budget.share_out([len(t.members) for t in error_map.types])
        of_type = [(t.name, exemplars([b.problem for b in t.exemplars])) for t in error_map.types]
        sources = [(name, shown, q) for (name, shown), q in zip(of_type, quotas, strict=True)]
        others = [e for _, shown in of_type for e in shown]
        contexts = (*others, *exemplars(replay))
        known = [*questions(error_map), *(p.question for p in replay)]  # all that is shown, so that no copy is kept
        return synthesize(
            self.instructor,
            self.budget,
            sources,
            known,
            screen,
            round,
            seed,
            contexts=(contexts, self.contexts),
            claim=claim_of(error_map),
        )

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return the requests that fill the budget."""
        return estimated(self.instructor, self.budget, outlook, self.contexts)
