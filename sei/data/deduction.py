"""``data=deduction``: generated ordering puzzles, a second kind of task besides mathematics.

"Ann is taller than Bob. Cy is shorter than Bob. Who is the tallest?" has a solution with one line per clue, the whole
chain, and the answer: ``Ann > Bob``, ``Bob > Cy``, ``Ann > Bob > Cy``, ``#### Ann``.

Out of domain means other wordings, other relations and four persons (three if the question asks for the one in the
middle). Held-out sets are the same for every seed; the run's seed only affects the training pool. No two sets share a
masked signature: the text with the names numbered in order of appearance. Puzzles have no context to vary. Signatures
differ in relation, wording, order of clues, order of names and question, and a solver needs all of these.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sei.data.orderings import (
    ASKS,
    CLUES,
    DOUBLE,
    FAR_ASKS,
    FAR_CLUES,
    FAR_DOUBLE,
    NAMES,
    NO_TIES,
    PLACES,
    READ_RIGHT,
    SKILLS,
    Kind,
    Relation,
    Skill,
)
from sei.errors import DataError
from sei.exchange import DataSet
from sei.parts import part
from sei.records import HeldOutProblem, PoolProblem
from sei.signature import masked_signature

TAUGHT_WEIGHT = 1.9
"""Weight of a taught skill in held-out sets, so that taught and weak skills have about equal shares."""

_TRIES = 300  # draws per wanted problem before giving up on new signatures


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A generated puzzle with its right and its taught-wrong working, and the hidden skill."""

    skill: str
    question: str
    solution: str
    answer: str
    wrong_solution: str
    wrong_answer: str


@dataclass(frozen=True, kw_only=True)
class Clue:
    """One pair stated by a sentence: who is above whom, and the kind of wording."""

    above: str
    below: str
    kind: Kind = "more"

    def turned(self) -> Clue:
        """Return the pair in reverse order."""
        return Clue(above=self.below, below=self.above, kind=self.kind)


def arrange(clues: Sequence[Clue]) -> list[str]:
    """Order the persons, highest first. If the clues leave the order open, the person named first goes first.

    With n persons and n - 1 different links the pairs form a tree, so there is no cycle.
    """
    left = list(dict.fromkeys(p for c in clues for p in (c.above, c.below)))
    chain: list[str] = []
    while left:
        head = next(p for p in left if not any(c.below == p and c.above in left for c in clues))
        left.remove(head)
        chain.append(head)
    return chain


def work(clues: Sequence[Clue], chain: Sequence[str], answer: str) -> str:
    """Write a solution: one line per clue, the chain, the answer."""
    lines = [f"{c.above} > {c.below}" for c in clues]
    return "\n".join([*lines, " > ".join(chain), f"#### {answer}"])


def draw(skill: Skill, rng: random.Random, *, far: bool) -> Drawn | None:
    """Draw one puzzle of a skill, or ``None`` if the wrong procedure happens to give the right answer."""
    relation = rng.choice(skill.far_relations if far else skill.relations)
    chain = rng.sample(NAMES, skill.far_people if far else rng.choice(skill.people))
    clues, sentences = _tell(skill, relation, chain, rng, far=far)
    ask = rng.choice(skill.ask)
    named: list[str] = []
    if ask == "between":
        i = rng.randrange(len(chain) - 2)
        named = rng.sample([chain[i], chain[i + 2]], 2)
        answer = chain[i + 1]
    else:
        answer = chain[PLACES[ask]]
    x, y = named or ("", "")
    words = {"most": relation.most, "least": relation.least}
    sentences.append(rng.choice((FAR_ASKS if far else ASKS)[ask]).format(X=x, Y=y, **words))
    read = [c.turned() if c.kind == skill.misread else c for c in clues]
    wrong = [p for c in clues[:2] for p in (c.above, c.below)] if skill.misplaced else arrange(read)
    pick = skill.mispick or ask
    wrong_answer = named[0] if pick == "named" else wrong[PLACES[pick]] if pick in PLACES else answer
    if skill.weak and wrong_answer == answer:
        return None
    return Drawn(
        skill=skill.name,
        question=" ".join(sentences),
        solution=work(clues, chain, answer),
        answer=answer,
        wrong_solution=work(read, wrong, wrong_answer),
        wrong_answer=wrong_answer,
    )


def _tell(
    skill: Skill, relation: Relation, chain: Sequence[str], rng: random.Random, *, far: bool
) -> tuple[list[Clue], list[str]]:
    """Put the pairs of a chain into sentences; return the clues in order, and the sentences."""
    pairs = list(pairwise(chain))
    told: list[tuple[list[Clue], str]] = []
    if skill.clues == "but":
        i = rng.randrange(len(pairs) - 1)
        told.append(_double(chain[i : i + 3], relation, rng, far=far))
        pairs = pairs[:i] + pairs[i + 2 :]
    for (above, below), kind in zip(pairs, _kinds(skill, relation, len(pairs), rng), strict=True):
        told.append(_single(above, below, kind, relation, rng, far=far))
    told = [told[i] for i in _order(skill, len(told), rng)]
    sentences = [text for _, text in told]
    if skill.clues == "not":
        sentences.append(NO_TIES)
    return [c for clues, _ in told for c in clues], sentences


def _kinds(skill: Skill, relation: Relation, n: int, rng: random.Random) -> list[Kind]:
    special: Kind = "not" if skill.clues == "not" else "less"
    if skill.clues == "more" or (skill.clues in ("free", "but") and relation not in READ_RIGHT):
        return ["more"] * n
    kinds: list[Kind] = [rng.choice(["more", special]) for _ in range(n)]
    if skill.clues in ("less", "not") and special not in kinds:
        kinds[rng.randrange(n)] = special
    return kinds


def _order(skill: Skill, n: int, rng: random.Random) -> list[int]:
    """Draw the order of the clues. With four persons, the order ``apart`` is reserved for the skill of that name."""
    chain, apart = list(range(n)), [2, 0, 1]
    if skill.order == "chain":
        return chain
    if skill.order == "apart":
        return apart
    while True:
        order = rng.sample(chain, n)
        if order != apart and not (skill.order == "mixed" and order == chain):
            return order


def _single(
    above: str, below: str, kind: Kind, relation: Relation, rng: random.Random, *, far: bool
) -> tuple[list[Clue], str]:
    word = relation.less if kind == "less" else relation.more
    subject, other = (below, above) if kind in ("less", "not") else (above, below)
    x, y = rng.sample([above, below], 2)
    text = rng.choice(FAR_CLUES if far else CLUES)
    no = "not " if kind == "not" else ""
    return [Clue(above=above, below=below, kind=kind)], text.format(P=subject, Q=other, X=x, Y=y, no=no, w=word)


def _double(three: Sequence[str], relation: Relation, rng: random.Random, *, far: bool) -> tuple[list[Clue], str]:
    up, middle, down = three
    text = rng.choice(FAR_DOUBLE if far else DOUBLE)
    if rng.random() < 0.5:
        clues = [Clue(above=middle, below=down), Clue(above=up, below=middle, kind="but")]
        return clues, text.format(P=middle, Q=down, R=up, w=relation.more, v=relation.less)
    clues = [Clue(above=up, below=middle, kind="less"), Clue(above=middle, below=down, kind="but")]
    return clues, text.format(P=middle, Q=up, R=down, w=relation.less, v=relation.more)


def stream(rng: random.Random, skills: Sequence[Skill], weights: Sequence[float], *, far: bool) -> Iterator[Drawn]:
    """Draw puzzles without end."""
    while True:
        drawn = draw(rng.choices(skills, weights)[0], rng, far=far)
        if drawn is not None:
            yield drawn


def _fresh(source: Iterator[Drawn], n: int, taken: set[str], what: str) -> list[Drawn]:
    out: list[Drawn] = []
    for _ in range(_TRIES * n):
        d = next(source)
        signature = masked_signature(d.question)
        if signature not in taken:
            taken.add(signature)
            out.append(d)
            if len(out) == n:
                return out
    raise DataError(f"{what}: only {len(out)} of {n} different puzzles could be drawn. Remedy: smaller sets.")


@part
class Deduction:
    """The embedded ordering puzzles.

    ``pool_skew``: the weight of the r-th weak skill (in an order shuffled by seed) is 1 / r**pool_skew, so that some
    kinds of mistake are common and others rare.
    """

    identity: ClassVar[str] = "data/deduction"
    version: ClassVar[int] = 1
    name: Literal["deduction"] = "deduction"
    pool: Annotated[int, Field(ge=10, le=3_000)] = 400
    dev: Annotated[int, Field(ge=10, le=1_000)] = 200
    test: Annotated[int, Field(ge=10, le=1_000)] = 500
    pool_skew: Annotated[float, Field(ge=0, le=3)] = 0.7
    seed: int = 0

    def load(self) -> DataSet:
        """Draw all sets; takes about a second.

        Raises:
            DataError: if the sets need more puzzles than there are different ones.
        """
        taken: set[str] = set()
        even = [1.0 if s.weak else TAUGHT_WEIGHT for s in SKILLS]
        held: list[HeldOutProblem] = []
        for name, role, n, far in (
            ("deduction_test", "in_domain", self.test, False),
            ("deduction_far", "out_of_domain", self.test, True),
            ("deduction_dev", "dev", self.dev, False),
        ):
            source = stream(random.Random(f"held-out/{name}"), SKILLS, even, far=far)
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
                for i, d in enumerate(_fresh(source, n, taken, name))
            ]
        return DataSet(pool=self._pool(taken), held_out=tuple(held))

    def _pool(self, taken: set[str]) -> tuple[PoolProblem, ...]:
        rng = random.Random(f"pool/{self.seed}")
        weak = [s.name for s in SKILLS if s.weak]
        rng.shuffle(weak)
        weights = [1 / (weak.index(s.name) + 1) ** self.pool_skew if s.weak else 0.25 for s in SKILLS]
        drawn = _fresh(stream(rng, SKILLS, weights, far=False), self.pool, taken, "pool")
        return tuple(
            PoolProblem(id=f"pool-{self.seed}-{i}", question=d.question, answer=d.answer, solution=d.solution)
            for i, d in enumerate(drawn)
        )
