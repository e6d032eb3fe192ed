"""Built-in wrong attempts of the embedded domains. Each was made wrong at a known step."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from sei.card.rows import Row, Rows
from sei.data import arithmetic, deduction, orderings, skills
from sei.exchange import Stepped
from sei.records import BadCase, PoolProblem
from sei.signature import masked_signature

Domain = Literal["arithmetic", "deduction"]
_SLIPS = 0.25  # share of word problems that get a calculation slip in the last step
_OFF = (-10, -3, -2, -1, 1, 2, 3, 10)


def built_in(domain: Domain, n: int, seed: int) -> Rows:
    """Draw ``n`` wrong attempts with distinct questions.

    An attempt that is right until it ends too soon is left out, because none of its lines is wrong.
    """
    rng = random.Random(f"teacher card/{domain}/{seed}")
    rows: list[Row] = []
    seen: set[str] = set()
    left_out: Counter[str] = Counter()
    for drawn, slips in _stream(domain, rng):
        if len(rows) == n:
            break
        signature = masked_signature(drawn.question)
        if signature in seen or (not slips and drawn.wrong_answer == drawn.answer):
            continue
        row = _row(f"{domain}-{seed}-{len(rows)}", drawn, rng if slips else None)
        if row is None:
            left_out["ends too soon"] += 1
            continue
        seen.add(signature)
        rows.append(row)
    words = "word problems" if domain == "arithmetic" else "ordering puzzles"
    return Rows(source=f"built-in {words}", human=False, rows=tuple(rows), left_out=left_out)


def _stream(domain: Domain, rng: random.Random) -> Iterator[tuple[Any, bool]]:
    """Yield drawn problems. The flag tells whether to make a slip in the problem instead of its taught mistake."""

    def weak(all_skills: Sequence[Any], stream: Callable[..., Iterator[Any]]) -> Iterator[Any]:
        return stream(rng, all_skills, [float(s.weak) for s in all_skills], far=False)

    if domain == "deduction":
        yield from ((d, False) for d in weak(orderings.SKILLS, deduction.stream))
        return
    taught = weak(skills.SKILLS, arithmetic.stream)
    every = arithmetic.stream(rng, skills.SKILLS, [1.0] * len(skills.SKILLS), far=False)
    while True:
        slips = rng.random() < _SLIPS
        yield next(every if slips else taught), slips


def _row(name: str, drawn: Any, slips: random.Random | None) -> Row | None:
    right = drawn.solution.split("\n")
    wrong = _slipped(right, slips) if slips else drawn.wrong_solution.split("\n")
    at = next(i for i, (a, b) in enumerate(zip(right, wrong, strict=False)) if a != b)
    if wrong[at].startswith("####") and not right[at].startswith("####"):
        return None
    problem = PoolProblem(id=name, question=drawn.question, answer=drawn.answer, solution=drawn.solution)
    case = BadCase(problem=problem, output="\n".join(wrong), extracted=wrong[-1].removeprefix("#### "))
    kind = "slip" if slips else drawn.skill
    return Row(case=Stepped(bad_case=case, steps=tuple(wrong)), step=at + 1, type=kind)


def _slipped(right: Sequence[str], rng: random.Random) -> list[str]:
    """Calculate the last step wrongly and answer with its result."""
    *before, last, answer = right
    value = answer.removeprefix("#### ")
    off = str(max(1, int(value) + rng.choice(_OFF)))
    off = str(int(value) + 1) if off == value else off
    return [*before, last.replace(f"={value}>>{value}", f"={off}>>{off}"), f"#### {off}"]
