"""LLM2LLM: a problem like each that the model got wrong."""

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
    """LLM2LLM (Lee et al. 2024, Findings of ACL, section 3): problems like the wrong one, from that problem alone.

    Kept: every round the teacher sees one wrong training problem with its solution, and nothing else, and writes
    one new problem of its kind; only problems of the pool are started from, never synthetic ones; data add up
    and training starts from the base (``train_on=accumulated``, ``start_from=base``); a new problem is dropped
    above ROUGE-L 0.95 (``rouge_l``) of another one or of a bad case.
    Left out: the seed problems themselves are not trained on (replay of solved ones stands in for them, as in
    every arm); attempts are greedy, where the authors' code samples them; bad cases that could not be diagnosed
    and the validation part are not started from, so that all arms rest on the same cases.

    ``per_problem``: most new problems a round per wrong one; the paper has 1, which a larger budget than there
    are bad cases cannot fill. ``None`` asks again, fewest first, until the budget is filled.
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
        """Return the one problem that a request asks for."""
        return 1

    def request(
        self, start: Start, made: Sequence[SyntheticExample], index: int, n: int, seed: int
    ) -> SynthesisRequest:
        """Return the request for a problem like the one of ``start``."""
        shown = exemplars([start.problem])
        return SynthesisRequest(
            error_type=start.problem.id, exemplars=shown, n=n, index=index, seed=seed, task="similar"
        )

    def __call__(
        self, error_map: ErrorMap, pool: tuple[PoolProblem, ...], screen: Screen, round: int, *, seed: int
    ) -> Synthesis:
        """Return the candidates of a round.

        Raises:
            TooManyBadRecordsError: when round 1 kept nothing.
        """
        starts, known = bad_starts(error_map), questions(error_map)
        return write_from_each(self, starts, known, screen, round, seed, rouge_l=self.rouge_l, most=self.per_problem)

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return the requests that fill the budget, a start each."""
        return estimated(self, outlook)
