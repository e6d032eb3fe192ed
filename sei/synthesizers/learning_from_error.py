"""LLMs-as-Instructors: problems from single errors, with or without solved questions for contrast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from sei.exchange import SynthesisRequest
from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Embedder, Instructor, Screen
from sei.prompts import asked, prompt_digest
from sei.records import ErrorMap, PoolProblem, Synthesis, SyntheticExample, require_pool
from sei.returned import embedded
from sei.stages.synthesize import Budget, exemplars
from sei.synthesizers.per_problem import Start, bad_starts, estimated, questions, require_tasks, write_from_each

_LONGEST = 6_000  # at most this many characters of a wrong attempt are shown
Near = Annotated[float, Field(gt=0, le=1)]


@part
class LearningFromError:
    """LE and LEC of LLMs-as-Instructors (Ying et al. 2024, Findings of EMNLP, section 2.3).

    Kept from the paper: one request per wrong problem shows the question and the wrong attempt, but no reference
    solution. It asks for an analysis of the error and for all problems of the case at once: as many as the budget
    needs, plus one, as in the authors' code. ``contrast`` (LEC) adds the ``nearest`` questions, by embedding, that the
    model solves.
    Left out: the wording of the system prompt; BERT with FAISS (here ``embedder`` with exact cosine); the authors'
    sampling and training settings (the run's are used). Contrasting questions are solved problems that may be
    replayed, never those of refinement. Near copies above ``rouge_l`` are dropped; the authors drop equal ones. Bad
    cases are those of the exemplar part, as in every arm.

    The embedded instructors cannot analyse an attempt without the reference solution. They write from the problem and
    its solution, so LE becomes LLM2LLM with more problems per request. With ``contrast`` they are refused.

    Raises:
        ConfigError: with ``contrast`` and an instructor that cannot compare.
    """

    identity: ClassVar[str] = "synthesizer/learning_from_error"
    version: ClassVar[int] = 1
    instructor: Instructor
    budget: Budget
    embedder: Embedder
    contrast: bool = False
    nearest: Annotated[int, Field(ge=1, le=20)] = 3
    rouge_l: Near = 0.95

    def __post_init__(self) -> None:
        """With ``contrast``, refuse an instructor that cannot compare."""
        if self.contrast:
            require_tasks(
                self.instructor,
                ["contrast"],
                "synthesizer=learning_from_error with contrast=true",
                "synthesizer.contrast=false",
            )

    def reads(self) -> dict[str, str]:
        """Return the digest of the prompt template."""
        name = "contrast.v1" if self.contrast else "error.v1"
        return {name: prompt_digest(name)}

    def each(self, starts: int) -> int:
        """Return the number of problems to ask for per case, at most ``budget.per_request``."""
        return min(self.budget.per_request, -(-self.budget.total // max(1, starts)) + 1)

    def request(
        self, start: Start, made: Sequence[SyntheticExample], index: int, n: int, seed: int
    ) -> SynthesisRequest:
        """Return the request for a bad case, without contrasting questions."""
        return self._request(start, index, n, seed, ())

    def __call__(
        self,
        error_map: ErrorMap,
        pool: tuple[PoolProblem, ...],
        screen: Screen,
        round: int,
        *,
        seed: int,
        replay: tuple[PoolProblem, ...],
    ) -> Synthesis:
        """Return the candidates of a round.

        Raises:
            RoleError: if a solved problem is not of the pool.
            TooManyBadRecordsError: if round 1 kept nothing.
        """
        require_pool(replay, "synthesize")
        starts, known = bad_starts(error_map), questions(error_map)
        writer = _Beside(self, self._nearest(starts, replay)) if self.contrast else self
        return write_from_each(writer, starts, known, screen, round, seed, rouge_l=self.rouge_l)

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return the requests that fill the budget, one per start, with drawn pool problems as the nearest ones."""
        drawn = outlook.drawn(self.nearest) if self.contrast else []
        beside = {p.id: near for p, near in zip(outlook.problems, drawn, strict=False)}
        return estimated(_Beside(self, beside) if self.contrast else self, outlook)

    def _nearest(self, starts: Sequence[Start], solved: Sequence[PoolProblem]) -> dict[str, list[PoolProblem]]:
        return nearest(self.embedder, [s.problem for s in starts], solved, self.nearest)

    def _request(self, start: Start, index: int, n: int, seed: int, beside: Sequence[PoolProblem]) -> SynthesisRequest:
        details = [("wrong_attempt", start.output[-_LONGEST:])]
        details += [(f"solved_question_{i}", asked(p.question, p.options)) for i, p in enumerate(beside, 1)]
        return SynthesisRequest(
            error_type=start.problem.id,
            exemplars=exemplars([start.problem]),
            n=n,
            index=index,
            seed=seed,
            task="contrast" if self.contrast else "error",
            details=tuple(details),
        )


class _Beside:
    """Learning from error with solved questions for every bad case, by the id of its problem."""

    def __init__(self, stage: LearningFromError, beside: dict[str, list[PoolProblem]]) -> None:
        self.stage, self.instructor, self.budget, self.each = stage, stage.instructor, stage.budget, stage.each
        self.beside = beside

    def request(
        self, start: Start, made: Sequence[SyntheticExample], index: int, n: int, seed: int
    ) -> SynthesisRequest:
        return self.stage._request(start, index, n, seed, self.beside[start.problem.id])


def nearest(
    embedder: Embedder, problems: Sequence[PoolProblem], others: Sequence[PoolProblem], k: int
) -> dict[str, list[PoolProblem]]:
    """Return, by problem id, the ``k`` others with the nearest questions by cosine, nearest first."""
    if not problems or not others:
        return {p.id: [] for p in problems}
    mine, theirs = embedded(embedder, [p.question for p in problems]), embedded(embedder, [o.question for o in others])
    order = np.argsort(-(mine @ theirs.T), axis=1, kind="stable")[:, :k]
    return {p.id: [others[i] for i in row] for p, row in zip(problems, order.tolist(), strict=True)}
