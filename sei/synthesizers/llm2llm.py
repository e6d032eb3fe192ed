"""LLM2LLM: for each problem that the model got wrong, a similar one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from sei.exchange import SynthesisRequest
from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Instructor, Screen
from sei.prompts import prompt_digest
from sei.records import ErrorMap, PoolProblem, Synthesis, SyntheticExample
from sei.stages.synthesize import Budget, exemplars
from sei.synthesizers.learning_from_error import Near
from sei.synthesizers.per_problem import Start, bad_starts, estimated, questions, write_from_each


@part
class LLM2LLM:
    """LLM2LLM (Lee et al. 2024, Findings of ACL, section 3): writes each problem from one wrong problem alone.

    Kept from the paper: the teacher sees one wrong training problem with its solution, nothing else, and writes one
    similar problem. It starts from problems of the pool only, never from synthetic ones. Data accumulate, and training
    starts from the base model (``train_on=accumulated``, ``start_from=base``). A new problem is dropped if its ROUGE-L
    with another new problem or a bad case is above 0.95 (``rouge_l``).
    Left out: the seed problems are not trained on; replayed solved problems replace them, as in every arm. Attempts are
    greedy; the authors' code samples them. Undiagnosed bad cases and validation cases are not used as starts, so that
    all arms use the same cases.

    ``per_problem``: the most new problems per wrong problem in a round. The paper has 1, which cannot fill a budget
    larger than the number of bad cases. ``None`` asks again, fewest problems first, until the budget is filled.
    """

    identity: ClassVar[str] = "synthesizer/llm2llm"
    version: ClassVar[int] = 1
    instructor: Instructor
    budget: Budget
    per_problem: Annotated[int, Field(ge=1)] | None = None
    rouge_l: Near = 0.95

    def reads(self) -> dict[str, str]:
        """Return the digest of the prompt template."""
        return {"similar.v1": prompt_digest("similar.v1")}

    def each(self, starts: int) -> int:
        """Return 1: a request asks for one problem."""
        return 1

    def request(
        self, start: Start, made: Sequence[SyntheticExample], index: int, n: int, seed: int
    ) -> SynthesisRequest:
        """Return the request for a problem similar to that of ``start``."""
        shown = exemplars([start.problem])
        return SynthesisRequest(
            error_type=start.problem.id, exemplars=shown, n=n, index=index, seed=seed, task="similar"
        )

    def __call__(
        self, error_map: ErrorMap, pool: tuple[PoolProblem, ...], screen: Screen, round: int, *, seed: int
    ) -> Synthesis:
        """Return the candidates of a round.

        Raises:
            TooManyBadRecordsError: if round 1 kept nothing.
        """
        starts, known = bad_starts(error_map), questions(error_map)
        return write_from_each(self, starts, known, screen, round, seed, rouge_l=self.rouge_l, most=self.per_problem)

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return the requests that fill the budget, one per starting problem."""
        return estimated(self, outlook)
