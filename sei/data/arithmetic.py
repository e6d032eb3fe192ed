"""``data=arithmetic``: generated English word problems in GSM8K's format, embedded and unlimited.

Out of domain means other wordings, larger numbers and up to two tail steps instead of at most one. Held-out sets are
the same for every seed; the run's seed only affects the training pool. No two sets share a masked signature (names and
objects hidden, numbers kept).
"""

from __future__ import annotations

import operator
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sei.data.skills import (
    FAR_TAIL_RANGE,
    FAR_TAILS,
    NAMES,
    OBJECTS,
    SKILLS,
    TAIL_RANGE,
    TAILS,
    Skill,
    Step,
)
from sei.exchange import DataSet
from sei.parts import part
from sei.records import HeldOutProblem, PoolProblem
from sei.signature import masked_signature

MAX_NUMBER = 400
"""Largest number that may appear. The embedded model has one token for each whole number up to it."""

TAUGHT_WEIGHT = 1.75
"""Weight of a taught skill in held-out sets, so that taught and weak skills have equal shares."""

OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A generated problem with its right and its taught-wrong working, and the hidden skill."""

    skill: str
    question: str
    solution: str
    answer: str
    wrong_solution: str
    wrong_answer: str


def work(steps: tuple[Step, ...], values: dict[str, int], unit: str) -> tuple[str, str] | None:
    """Carry out steps and write them in GSM8K's format; return (solution, answer).

    Returns ``None`` if a result is not a whole number between 1 and ``MAX_NUMBER``.
    """
    known = dict(values)
    lines = []
    result = 0
    for i, (op, left, right) in enumerate(steps, 1):
        x = known[left] if isinstance(left, str) else left
        y = known[right] if isinstance(right, str) else right
        if op == "/" and x % y:
            return None
        result = OPERATIONS[op](x, y)
        if not 1 <= result <= MAX_NUMBER:
            return None
        known[f"r{i}"] = result
        lines.append(f"{x}{op}{y}=<<{x}{op}{y}={result}>>{result} {unit}")
    return "\n".join([*lines, f"#### {result}"]), str(result)


def _numbers(skill: Skill, rng: random.Random, far: bool) -> dict[str, int]:
    ranges = skill.far if far else skill.near
    v = {k: rng.randint(lo, hi) for k, (lo, hi) in ranges.items()}
    for letter, rule in skill.multiples.items():
        if rule == "mean":  # the three numbers sum to three times the drawn mean
            v["a"], v["b"] = v["s"] - v["a"], v["s"] + v["b"]
            v[letter] = 3 * v["s"] - v["a"] - v["b"]
        elif isinstance(rule, str) and rule[0] == "+":
            v[letter] += v[rule[1:]]
        elif isinstance(rule, str) and rule[1:].isdigit():
            v[letter] *= int(rule[1:])
        elif isinstance(rule, str):
            v[letter] *= v[rule[1:]]
    return v


def draw(skill: Skill, rng: random.Random, *, far: bool, tails: int) -> Drawn | None:
    """Draw one problem of a skill, or ``None`` if its numbers are out of range."""
    v = _numbers(skill, rng, far)
    p, q = rng.sample(NAMES, 2)
    o = rng.choice(OBJECTS)
    unit = skill.unit.format(o=o)
    wording = rng.choice(skill.far_wordings if far else skill.wordings)
    sentences = [wording.format(P=p, Q=q, o=o, **v)]
    steps, wrong = skill.steps, skill.wrong or skill.steps
    for i in range(tails if skill.holder else 0):
        t = f"t{i}"
        v[t] = rng.randint(*(FAR_TAIL_RANGE if far else TAIL_RANGE))
        text, op = rng.choice(FAR_TAILS if far else TAILS)
        sentences.append(text.format(H=skill.holder.format(P=p, Q=q), u=unit, t=v[t]))
        steps, wrong = ((*s, (op, f"r{len(s)}", t)) for s in (steps, wrong))
    sentences.append((skill.far_ask if far else skill.ask).format(P=p, Q=q, o=o))
    right, taught = work(steps, v, unit), work(wrong, v, unit)
    if right is None or taught is None or max(v.values()) > MAX_NUMBER:
        return None
    return Drawn(
        skill=skill.name,
        question=" ".join(sentences),
        solution=right[0],
        answer=right[1],
        wrong_solution=taught[0],
        wrong_answer=taught[1],
    )


def stream(rng: random.Random, skills: tuple[Skill, ...], weights: list[float], *, far: bool) -> Iterator[Drawn]:
    """Draw problems without end. If a skill allows it, 40 % get one tail step in domain, 70 % one or two far."""
    while True:
        skill = rng.choices(skills, weights)[0]
        tails = rng.choices((0, 1, 2), (3, 4, 3) if far else (6, 4, 0))[0]
        drawn = draw(skill, rng, far=far, tails=tails)
        if drawn is not None:
            yield drawn


def _fresh(source: Iterator[Drawn], n: int, taken: set[str]) -> list[Drawn]:
    out: list[Drawn] = []
    while len(out) < n:
        d = next(source)
        sig = masked_signature(d.question)
        if sig not in taken:
            taken.add(sig)
            out.append(d)
    return out


@part
class Arithmetic:
    """The embedded word-problem domain.

    ``pool_skew``: the weight of the r-th weak skill (in an order shuffled by seed) is 1 / r**pool_skew, so that some
    kinds of mistake are common and others rare.
    """

    identity: ClassVar[str] = "data/arithmetic"
    version: ClassVar[int] = 1
    name: Literal["arithmetic"] = "arithmetic"
    pool: Annotated[int, Field(ge=10, le=20_000)] = 600
    dev: Annotated[int, Field(ge=10, le=5_000)] = 300
    test: Annotated[int, Field(ge=10, le=5_000)] = 1000
    pool_skew: Annotated[float, Field(ge=0, le=3)] = 0.7
    seed: int = 0

    def load(self) -> DataSet:
        """Draw all sets; takes about a second."""
        taken: set[str] = set()
        even = [1.0 if s.weak else TAUGHT_WEIGHT for s in SKILLS]
        held: list[HeldOutProblem] = []
        for name, role, n, far in (
            ("arithmetic_test", "in_domain", self.test, False),
            ("arithmetic_far", "out_of_domain", self.test, True),
            ("arithmetic_dev", "dev", self.dev, False),
        ):
            drawn = _fresh(stream(random.Random(f"held-out/{name}"), SKILLS, even, far=far), n, taken)
            held += [
                HeldOutProblem(
                    id=f"{name}-{i}",
                    question=d.question,
                    answer=d.answer,
                    solution=d.solution,
                    set=name,
                    role=role,  # type: ignore[arg-type]  # a literal of the table above
                    group=d.skill,
                )
                for i, d in enumerate(drawn)
            ]
        rng = random.Random(f"pool/{self.seed}")
        weak = [s.name for s in SKILLS if s.weak]
        rng.shuffle(weak)
        weights = [1 / (weak.index(s.name) + 1) ** self.pool_skew if s.weak else 0.25 for s in SKILLS]
        pool = _fresh(stream(rng, SKILLS, weights, far=False), self.pool, taken)
        return DataSet(
            pool=tuple(
                PoolProblem(id=f"pool-{self.seed}-{i}", question=d.question, answer=d.answer, solution=d.solution)
                for i, d in enumerate(pool)
            ),
            held_out=tuple(held),
        )
