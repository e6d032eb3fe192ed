"""Rejection sampling fine-tuning: the baseline that trains on the target model's own right solutions."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, ClassVar

import pydantic
from pydantic import Field

from sei.errors import TooManyBadRecordsError
from sei.instructors.symbolic.worked import evaluate, read_steps, show, show_tree
from sei.models.target import TargetModel
from sei.opened import Engine, Sampling
from sei.outlook import Estimate, Outlook
from sei.parts import part
from sei.ports import Grader, Screen
from sei.prompts import asked
from sei.records import Checkpoint, ErrorMap, PoolProblem, Rejection, Synthesis, SyntheticExample, Verdict, require_pool
from sei.returned import answered, graded_all
from sei.stages.sampled import seed_of
from sei.stages.synthesize import Budget
from sei.store import digest
from sei.store.files import appending, read_rows

_CLOSE = Fraction(1, 1000)  # a written result may be rounded by less than this
Sample = tuple[str, bool]  # output, and whether it ended before the length cap


@part
class RejectionSampling:
    """RFT (Yuan et al. 2023, arXiv 2308.01825, section 3.3): the model's own right and distinct solutions.

    Kept from the paper: the current checkpoint samples ``samples`` solutions of every training problem at
    ``temperature`` (paper: 100 at 0.7). A solution is kept if its answer and its annotated arithmetic are right, one
    per distinct list of equations. No instructor is asked. Left out: of equal lists the first is kept; the paper keeps
    the one farthest from the others by edit distance. Gold solutions are not added to training
    (``synthesizer=direct_correction`` trains on them). Samples come from this model alone, not from several.

    Problems are those of the pool, solved or not, that pass the screen, without validation cases. They include the good
    questions of refinement, so use ``refiner=none``, as in the paper. Questions of earlier rounds are screened out,
    because training already has their solutions (``train_on=accumulated``). A later round thus adds newly solved
    problems. The budget's ``candidates`` limit the number kept, one solution per problem first. A model that solves few
    problems cannot fill the budget; the round's number of candidates shows it. With the same schedule, optimizer steps
    and supervised tokens are equal in any case.
    """

    identity: ClassVar[str] = "synthesizer/rejection_sampling"
    version: ClassVar[int] = 2
    target: TargetModel
    engine: Engine
    grader: Grader
    budget: Budget
    samples: Annotated[int, Field(ge=1, le=1000)] = 8
    temperature: Annotated[float, Field(gt=0, le=2)] = 0.7

    def __call__(
        self,
        error_map: ErrorMap,
        pool: tuple[PoolProblem, ...],
        screen: Screen,
        round: int,
        *,
        seed: int,
        checkpoint: Checkpoint,
        folder: Path,
    ) -> Synthesis:
        """Return the model's own solutions as candidates. Wrong and repeated ones are counted as rejections.

        Raises:
            RoleError: if a problem is not of the pool.
            TooManyBadRecordsError: if round 1 found no right solution.
        """
        require_pool(pool, "synthesize")
        types = {b.problem.id: t.name for t in error_map.types for b in t.exemplars}
        validation = {b.problem.id for t in error_map.types for b in t.validation}
        free = [p for p in pool if p.id not in validation]
        reasons = screen.reasons([p.question for p in free])
        rejections = [_rejected(r, p) for p, r in zip(free, reasons, strict=True) if r is not None]
        free = [p for p, r in zip(free, reasons, strict=True) if r is None]
        found: list[list[str]] = []
        sampled = self._sampled(free, checkpoint, seed, folder)
        rows = [(p, text, finished) for p, outputs in zip(free, sampled, strict=True) for text, finished in outputs]
        outcomes = graded_all(self.grader, rows)
        for p, outputs in zip(free, sampled, strict=True):
            verdicts = [next(outcomes).verdict for _ in outputs]
            right, refused = self._distinct(p, [(*o, v) for o, v in zip(outputs, verdicts, strict=True)])
            found.append(right)
            rejections += refused
        by_lot = random.Random(f"rejection sampling/{seed}/{round}").sample(range(len(free)), len(free))
        ordered = [(free[i], found[i][turn]) for turn in range(self.samples) for i in by_lot if turn < len(found[i])]
        if free and not ordered and round == 1:
            raise TooManyBadRecordsError(
                f"none of {len(free)} problems was solved in synthesizer.samples={self.samples} samples. Rule: every "
                "candidate needs a right solution. Remedy: more samples, another temperature, a stronger model."
            )
        total = self.budget.total
        rejections += [_rejected("over_quota", p) for p, _ in ordered[total:]]
        candidates = [_candidate(p, text, types.get(p.id, "solved"), round) for p, text in ordered[:total]]
        return Synthesis(candidates=tuple(candidates), rejections=tuple(rejections))

    def estimate(self, outlook: Outlook) -> Estimate:
        """Return the number of samples of a round. No instructor is asked."""
        sampled = {"sampled solutions of the pool": self.samples * outlook.pool}
        return Estimate(generates=sampled, candidates=self.budget.total)

    def _sampled(
        self, problems: Sequence[PoolProblem], checkpoint: Checkpoint, seed: int, folder: Path
    ) -> list[list[Sample]]:
        """Return the outputs for every problem. Each is written to disk at once and never generated twice."""
        if not problems:
            return []
        path, adapter = folder / "samples.jsonl", pydantic.TypeAdapter(Sample)
        kept, *_ = read_rows(path, adapter)
        at = {f"{i}/{p.id}": i for i, p in enumerate(p for p in problems for _ in range(self.samples))}
        ids, done = list(at), frozenset(at[k] for k in kept if k in at)
        if len(done) < len(ids):
            last = time.perf_counter()
            with self.engine.open(self.target, checkpoint) as opened, appending(path) as append:
                texts = opened.prompts([asked(p.question, p.options) for p in problems for _ in range(self.samples)])
                own = tuple(seed_of(seed, p.id, i) for p in problems for i in range(self.samples))
                sampling = Sampling(self.temperature, seed, own)
                for index, text, finished, fault in answered(self.engine, opened, texts, done, "sampling", sampling):
                    if ids[index] not in kept and not fault:
                        kept[ids[index]] = (text, finished)
                        append(ids[index], [text, finished], time.perf_counter() - last)
                    last = time.perf_counter()
        rows = [[k for k in ids[i : i + self.samples] if k in kept] for i in range(0, len(ids), self.samples)]
        return [[kept[k] for k in row] for row in rows]

    def _distinct(
        self, problem: PoolProblem, outputs: Sequence[tuple[str, bool, Verdict]]
    ) -> tuple[list[str], list[Rejection]]:
        """Return the first right solution of each distinct reasoning, and rejections of the others.

        An output that was cut after its right answer teaches to go on and to stop in mid-sentence.
        """
        kept: dict[tuple[str, ...], str] = {}
        refused: list[Rejection] = []
        for text, finished, verdict in outputs:
            if verdict == "right" and not finished:
                refused.append(_rejected("sample_cut", problem))
                continue
            path = reasoning(text) if verdict == "right" else None
            if path is None:
                refused.append(_rejected(f"sample_{verdict}" if verdict != "right" else "sample_wrong_step", problem))
            elif path in kept:
                refused.append(_rejected("same_reasoning", problem))
            else:
                kept[path] = text
        return list(kept.values()), refused


def reasoning(solution: str) -> tuple[str, ...] | None:
    """Return the equations of a solution, or its words if it has no equations. They identify the reasoning path.

    Return ``None`` if an annotated equation is false.
    """
    steps = read_steps(solution)
    for s in steps if "<<" in solution else ():
        value = evaluate(s.tree)
        if value is None or abs(value - s.value) >= _CLOSE:
            return None
    return tuple(f"{show_tree(s.tree)}={show(s.value)}" for s in steps) or tuple(solution.split())


def _rejected(reason: str, problem: PoolProblem) -> Rejection:
    return Rejection(stage="synthesize", reason=reason, subject=problem.id)


def _candidate(problem: PoolProblem, solution: str, error_type: str, round: int) -> SyntheticExample:
    return SyntheticExample(
        id=f"rft-{round}-{digest(problem.question, solution)[:12]}",
        question=problem.question,
        solution=solution,
        answer=problem.answer,
        error_type=error_type,
        source_ids=(problem.id,),
        round=round,
        options=problem.options,
    )
