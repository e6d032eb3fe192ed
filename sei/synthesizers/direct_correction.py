"""Direct error correction: the baseline that trains on the bad cases themselves, not on new problems."""

from __future__ import annotations

from typing import ClassVar, Literal

from sei.errors import TooManyBadRecordsError
from sei.exchange import Draft, Reply
from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Instructor, Screen
from sei.records import BadCase, ErrorMap, PoolProblem, Rejection, Synthesis, SyntheticExample, Usage, require_pool
from sei.returned import one_each


@part
class DirectCorrection:
    """Candidates are the bad cases in every type's exemplar part, with a right solution.

    ``solutions``: ``gold`` takes the data set's worked solutions; ``instructor`` asks for a correction of each case.
    With ``cluster.exemplar_share=1`` all bad cases are exemplars, and refinement has no validation cases.
    There are as many candidates as bad cases: the budget is equal in optimizer steps and supervised tokens.
    """

    identity: ClassVar[str] = "synthesizer/direct_correction"
    version: ClassVar[int] = 2
    instructor: Instructor
    solutions: Literal["gold", "instructor"] = "gold"

    def __call__(
        self, error_map: ErrorMap, pool: tuple[PoolProblem, ...], screen: Screen, round: int, *, seed: int
    ) -> Synthesis:
        """Return the corrected bad cases that pass the screen. The others are counted as rejections.

        Raises:
            TooManyBadRecordsError: if round 1 had bad cases and none could be corrected.
        """
        cases = [(t.name, c) for t in error_map.types for c in t.exemplars]
        require_pool(tuple(c.problem for _, c in cases), "synthesize")
        kept: list[SyntheticExample] = []
        rejections: list[Rejection] = []
        usage = Usage()
        asked = [c for _, c in cases]
        corrected = self.instructor.correct(asked) if self.solutions == "instructor" else map(_gold, asked)
        replies = one_each(corrected, len(asked), Reply, self.instructor, "correct")
        questions = [c.problem.question for c in asked]
        held_out = dict(zip(questions, screen.reasons(questions), strict=True))  # the questions do not change
        for (name, case), reply in zip(cases, replies, strict=True):
            rejections += reply.rejections
            usage += reply.usage
            for draft in reply.drafts:
                reason = "empty_field" if not draft.solution.strip() else held_out[draft.question]
                if reason is not None:
                    detail = draft.question[:300]
                    rejections.append(Rejection(stage="synthesize", reason=reason, subject=name, detail=detail))
                    continue
                kept.append(
                    SyntheticExample(
                        id=f"fix-{round}-{case.problem.id}",
                        question=draft.question,
                        solution=draft.solution,
                        answer=draft.answer,
                        error_type=name,
                        source_ids=draft.sources,
                        round=round,
                        flaw=draft.flaw,
                        options=case.problem.options,
                    )
                )
        if cases and not kept and round == 1:
            reasons = sorted({r.reason for r in rejections})
            raise TooManyBadRecordsError(f"none of {len(cases)} bad cases could be corrected; reasons: {reasons}")
        return Synthesis(candidates=tuple(kept), rejections=tuple(rejections), usage=usage)

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return one request per exemplar, or none with ``solutions=gold``."""
        if self.solutions == "gold":
            return Estimate(candidates=outlook.exemplars)
        return outlook.correction(self.instructor, outlook.exemplars)


def _gold(case: BadCase) -> Reply:
    p = case.problem
    return Reply(
        drafts=(Draft(question=p.question, solution=p.solution, answer=p.answer, sources=(p.id,), options=p.options),),
        usage=Usage(),
    )
