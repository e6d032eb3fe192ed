"""MetaMath: rewrites problems of the pool."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

from sei.exchange import SynthesisRequest, Task
from sei.instructors.symbolic.worked import NUMERAL
from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Grader, Instructor, Screen
from sei.prompts import asked, prompt_digest
from sei.records import ErrorMap, PoolProblem, Synthesis, SyntheticExample
from sei.stages.synthesize import Budget, exemplars
from sei.synthesizers.learning_from_error import Near
from sei.synthesizers.per_problem import Start, estimated, pool_starts, require_tasks, write_from_each

_REWRITINGS: tuple[Task, ...] = ("rephrase", "self_verification", "fobar")


@part
class MetaMath:
    """MetaMath (Yu et al. 2023, ICLR 2024, section 3): training problems rewritten, forwards and backwards.

    Kept from the paper: problems of the whole pool, solved or not, are rephrased or reversed. A reversed problem hides
    a number as x, gives the final answer and asks for x. The answer is given as a statement of fact (self-verification)
    or added to the question (FOBAR). The expected answer is known: the gold answer, or the hidden number. A draft with
    another answer is dropped (``answer_changed``).
    Left out: answer augmentation, that is, more solutions of an unchanged question; ``synthesizer=rejection_sampling``
    does it with the target model. A rewriting and its solution come in one reply instead of two. The mixture of 395,000
    problems is cut to the budget, with equal turns for the three rewritings. Rewritings are similar to their source, so
    only near copies of pool problems and of each other (``rouge_l``) are dropped. The screen is that of every arm.

    Raises:
        ConfigError: if the instructor cannot rewrite. The embedded ones cannot.
    """

    identity: ClassVar[str] = "synthesizer/metamath"
    version: ClassVar[int] = 1
    instructor: Instructor
    budget: Budget
    grader: Grader
    rouge_l: Near = 0.95

    def __post_init__(self) -> None:
        """Refuse an instructor that cannot rewrite."""
        require_tasks(self.instructor, _REWRITINGS, "synthesizer=metamath", "synthesizer=random")

    def reads(self) -> dict[str, str]:
        """Return digests of the prompt templates."""
        return {f"{t}.v1": prompt_digest(f"{t}.v1") for t in _REWRITINGS}

    def each(self, starts: int) -> int:
        """Return 1: a request asks for one problem."""
        return 1

    def request(
        self, start: Start, made: Sequence[SyntheticExample], index: int, n: int, seed: int
    ) -> SynthesisRequest:
        """Return the request for the next rewriting. A question with options or without numbers is only rephrased."""
        p = start.problem
        rng = random.Random(f"metamath/{seed}/{p.id}")
        turn = rng.randrange(len(_REWRITINGS)) + index
        numbers = list(NUMERAL.finditer(p.question))
        task = _REWRITINGS[turn % len(_REWRITINGS)] if numbers and not p.options else "rephrase"
        details: tuple[tuple[str, str], ...] = (("question", asked(p.question, p.options)),)
        expected = p.answer
        if task != "rephrase":
            hidden = numbers[(rng.randrange(len(numbers)) + index) % len(numbers)]
            masked = f"{p.question[: hidden.start()]}x{p.question[hidden.end() :]}"
            details = (("question", masked), ("final_answer", p.answer))
            expected = hidden[0]
        return SynthesisRequest(
            error_type=p.id,
            exemplars=exemplars([p]),
            n=n,
            index=index,
            seed=seed,
            task=task,
            details=details,
            expected=expected,
        )

    def __call__(
        self, error_map: ErrorMap, pool: tuple[PoolProblem, ...], screen: Screen, round: int, *, seed: int
    ) -> Synthesis:
        """Return the candidates of a round.

        Raises:
            RoleError: if a problem is not of the pool.
            TooManyBadRecordsError: if round 1 kept nothing.
        """
        starts = pool_starts(error_map, pool)
        known = [s.problem.question for s in starts]
        return write_from_each(self, starts, known, screen, round, seed, rouge_l=self.rouge_l, grader=self.grader)

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return the requests that fill the budget, one per starting problem."""
        return estimated(self, outlook)
