"""Builds records for tests from as few arguments as possible."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sei.data.arithmetic import Arithmetic, stream
from sei.data.skills import SKILLS
from sei.exchange import Exemplar, SynthesisRequest
from sei.models.embedder import SentenceEmbedder
from sei.models.target import TargetModel
from sei.records import (
    Attempt,
    BadCase,
    Checkpoint,
    ErrorMap,
    ErrorType,
    Finding,
    Graded,
    HeldOutProblem,
    Keyphrase,
    PoolProblem,
    Problem,
    RefinedSet,
    RefineInput,
    SyntheticExample,
    TrainingExample,
)
from sei.screening.screen import Decontamination
from sei.stages.refine import Refine

TINY = TargetModel(name="tiny", source="packaged:tiny_l", template="plain")
NO_TYPES = ErrorMap(types=())
WORDS = "red blue old new big tiny soft hard warm cold wet dry fast slow tall short dark pale rich poor".split()


def problem(i: int | str = 0, question: str = "", *, answer: str = "1", solution: str = "") -> PoolProblem:
    """Make a pool problem with id ``p3`` for 3, or ``x`` for ``x``."""
    return PoolProblem(
        id=i if isinstance(i, str) else f"p{i}",
        question=question or f"Anna has {i} pens. How many?",
        answer=answer,
        solution=solution or f"#### {answer}",
    )


def held_out(i: int | str = 0, question: str = "", *, answer: str = "1", **more: Any) -> HeldOutProblem:
    """Make a problem of a test set (``set``, ``role``)."""
    name = i if isinstance(i, str) else f"t{i}"
    about = {"set": "test", "role": "in_domain", **more}
    return HeldOutProblem(id=name, question=question or f"Held-out question {i}?", answer=answer, **about)


def case(of: int | Problem = 0, output: str = "#### 999") -> BadCase:
    """Make a bad case of a problem; the extracted answer is the text after the mark, or the whole output."""
    wrong = of if isinstance(of, Problem) else problem(of)
    return BadCase(problem=wrong, output=output, extracted=output.rsplit("#### ", 1)[-1])  # type: ignore[arg-type]


def cases(problems: Iterable[Problem]) -> tuple[BadCase, ...]:
    return tuple(map(case, problems))


def keyphrase(of: int | BadCase, phrase: str, finding: Finding | None = None) -> Keyphrase:
    return Keyphrase(bad_case=of if isinstance(of, BadCase) else case(of), phrase=phrase, finding=finding)


def phrases(groups: int, each: int) -> tuple[Keyphrase, ...]:
    """Make groups of phrases with equal beginnings: a, ax, axx, ... b, bx, ..."""
    return tuple(keyphrase(g * each + j, chr(ord("a") + g) + "x" * (j % 5)) for g in range(groups) for j in range(each))


def error_type(name: str, exemplars: Iterable[int | BadCase], validation: Iterable[int | BadCase] = ()) -> ErrorType:
    shown, hidden = (tuple(c if isinstance(c, BadCase) else case(c) for c in some) for some in (exemplars, validation))
    members = tuple(keyphrase(c, name) for c in (*shown, *hidden))
    return ErrorType(name=name, members=members, exemplars=shown, validation=hidden)


def error_map(
    exemplars: Iterable[int | BadCase], validation: Iterable[int | BadCase] = (), name: str = "x"
) -> ErrorMap:
    """Make a map with one type."""
    return ErrorMap(types=(error_type(name, exemplars, validation),))


def candidate(i: int | str, text: tuple[str, str] = ("q", "s"), error_type: str = "x") -> SyntheticExample:
    """Make a synthetic example of question and solution: ``c3`` for 3, ``x`` for ``x``."""
    name = i if isinstance(i, str) else f"c{i}"
    return SyntheticExample(id=name, question=text[0], solution=text[1], answer="1", error_type=error_type)


def candidates(**sizes: int) -> tuple[SyntheticExample, ...]:
    """Make the given number of candidates of each type: a0, a1, ... b0, ..."""
    return tuple(candidate(f"{t}{i}", error_type=t) for t, n in sizes.items() for i in range(n))


def sums(a: int, b: int, sign: str = "+") -> tuple[str, str]:
    """Make question and solution of a problem in the vocabulary of the embedded models."""
    more = "gives {} more" if sign == "+" else "gives {} of them away. How many"
    value = a + b if sign == "+" else a - b
    question = f"Anna has {a} pens. Ben {more.format(b)} pens. How many pens does Anna have?"
    return question, f"{a}{sign}{b}=<<{a}{sign}{b}={value}>>{value} pens\n#### {value}"


def held_against(*texts: tuple[str, str]) -> ErrorMap:
    """Make a map with one type whose validation cases have these questions and solutions."""
    bad = (case(problem(i, q, solution=s), "0") for i, (q, s) in enumerate(texts))
    return error_map((), bad, name="sums")


def graded(of: Problem, verdict: str, strict: str = "", *, output: str = "1", **more: Any) -> Graded:
    attempt = Attempt(problem=of, output=output, finished=True)
    return Graded(attempt=attempt, verdict=verdict, strict_verdict=strict or verdict, **more)  # type: ignore[arg-type]


def pool(n: int = 60) -> tuple[PoolProblem, ...]:
    """Draw problems of the embedded domain."""
    return Arithmetic(pool=n, dev=10, test=10).load().pool


def lessons(n: int = 60) -> tuple[TrainingExample, ...]:
    """Draw problems of the embedded domain, with solutions to train on."""
    return tuple(TrainingExample(id=p.id, question=p.question, solution=p.solution, source="replay") for p in pool(n))


def drawn(n: int, skills: Any = SKILLS, seed: int = 1, *, far: bool = False, of: Any = stream) -> list[Any]:
    """Draw problems, with the skills behind them, from the stream of a domain."""
    source = of(random.Random(seed), skills, [1.0] * len(skills), far=far)
    return [next(source) for _ in range(n)]


def asking(problems: Iterable[Any], n: int = 20, index: int = 0) -> SynthesisRequest:
    """Make a request to an instructor for problems like these."""
    exemplars = tuple(Exemplar(id=str(i), question=d.question, solution=d.solution) for i, d in enumerate(problems))
    return SynthesisRequest(error_type="t", exemplars=exemplars, n=n, index=index, seed=0)


def screen(*apart: str, rouge_l: float = 1.0) -> Any:
    """Keep these texts of a test set apart, only by signature and ROUGE-L."""
    rules = Decontamination(embedder=SentenceEmbedder(device="cpu"), ngram=0, rouge_l=rouge_l, embedding=1.0)
    return rules.screen({"test": list(apart)})


def refine(
    refiner: Any,
    checkpoint: Checkpoint,
    error_map: ErrorMap,
    candidates: tuple[SyntheticExample, ...],
    good: tuple[PoolProblem, ...] = (),
    *,
    seed: int,
    folder: Path | None = None,
    **rules: Any,
) -> RefinedSet:
    """Refine with a stage, or with a scorer and the ``rules`` of its stage (``keep``, ``at_least``)."""
    stage = refiner if callable(refiner) else Refine(scorer=refiner, **rules)
    given = RefineInput(checkpoint=checkpoint, error_map=error_map, candidates=candidates, good=good)
    return stage(given, seed=seed, folder=folder)
