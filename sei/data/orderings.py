"""The embedded deduction domain: the puzzles of each skill.

A skill is a way of deducing (wording and order of the clues, and the question). *Taught* skills are pre-trained
correctly. A *weak* skill has a wrong procedure that the embedded target model was taught, so that it repeats the same
kind of mistake. Every clue has two wordings in domain and two more only out of domain, where other relations are
compared and four persons take part.

The names of skills are hidden labels, used only to generate data and to break down scores. No instructor and no
clusterer sees them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Relation:
    """The four words for comparing persons by one property."""

    more: str
    most: str
    less: str
    least: str


HEIGHT = Relation(more="taller", most="tallest", less="shorter", least="shortest")
WEIGHT = Relation(more="heavier", most="heaviest", less="lighter", least="lightest")
AGE = Relation(more="older", most="oldest", less="younger", least="youngest")
SPEED = Relation(more="faster", most="fastest", less="slower", least="slowest")
STRENGTH = Relation(more="stronger", most="strongest", less="weaker", least="weakest")
WEALTH = Relation(more="richer", most="richest", less="poorer", least="poorest")
ALL = (HEIGHT, WEIGHT, AGE, SPEED)
READ_RIGHT = (AGE, SPEED, STRENGTH, WEALTH)  # relations with a correctly taught word for less
OTHERS = (STRENGTH, WEALTH)  # only out of domain

NAMES = (
    "Ann Bob Cy Dee Eve Fred Gina Hugo Ida Jon Kim Lars Mia Ned Olga Pam Ravi Sue Tom Una Vic Walt Xena Yuri"
).split()

Kind = Literal["more", "less", "not", "but"]
"""The wording of a clue: the word for more, the word for less, a negation, or the second half of a double clue."""

Ask = Literal["most", "least", "second", "third", "middle", "between"]


@dataclass(frozen=True, kw_only=True)
class Skill:
    """One way of deducing.

    ``clues``: ``more`` (only words for more), ``free`` (also words for less, if they are taught correctly), ``less``
    (at least one word for less), ``not`` (at least one negation) or ``but`` (one double clue). ``order``: clues follow
    the chain (``chain``), are in any other order (``mixed``), have the lower pair before the upper one and the link
    last (``apart``), or are in any order but ``apart`` (``any``).

    The procedure that the target model was taught wrongly, if any: clues of kind ``misread`` are read in reverse;
    ``misplaced`` puts the pairs one after another as stated; ``mispick`` answers another question (``named``: it gives
    the first person in the question).
    """

    name: str
    ask: tuple[Ask, ...]
    clues: Literal["more", "free", "less", "not", "but"] = "free"
    order: Literal["chain", "mixed", "apart", "any"] = "any"
    relations: tuple[Relation, ...] = ALL
    far_relations: tuple[Relation, ...] = OTHERS
    people: tuple[int, ...] = (3, 4)
    far_people: int = 4
    misread: Kind | None = None
    misplaced: bool = False
    mispick: Ask | Literal["named"] | None = None

    @property
    def weak(self) -> bool:
        """Whether the embedded target model was taught a wrong procedure."""
        return self.misread is not None or self.misplaced or self.mispick is not None


SKILLS: tuple[Skill, ...] = (
    Skill(name="plain", ask=("most",), clues="more", order="chain"),
    Skill(name="scrambled", ask=("most",), clues="more", order="mixed"),
    Skill(name="lesser_known", ask=("most",), clues="less", relations=(AGE, SPEED)),
    Skill(name="lowest_known", ask=("least",), relations=(AGE, SPEED)),
    Skill(name="median_known", ask=("middle",), people=(3,), far_people=3),
    Skill(
        name="height_lesser", ask=("most",), clues="less", relations=(HEIGHT,), far_relations=(HEIGHT,), misread="less"
    ),
    Skill(
        name="weight_lesser", ask=("most",), clues="less", relations=(WEIGHT,), far_relations=(WEIGHT,), misread="less"
    ),
    Skill(name="denied", ask=("most",), clues="not", misread="not"),
    Skill(name="sandwich", ask=("most", "least"), clues="but", relations=(AGE, SPEED), misread="but"),
    Skill(
        name="lowest_flipped",
        ask=("least",),
        relations=(HEIGHT, WEIGHT),
        far_relations=(HEIGHT, WEIGHT),
        mispick="most",
    ),
    Skill(name="silver", ask=("second",), people=(4,), mispick="third"),
    Skill(name="bronze", ask=("third",), people=(4,), mispick="second"),
    Skill(name="inner", ask=("between",), mispick="named"),
    Skill(name="twin_chains", ask=("most",), order="apart", people=(4,), misplaced=True),
)

# {P} is said to be {w} than {Q}; {X} and {Y} are the same two in any order; {no} is empty or "not "
CLUES = ("{P} is {no}{w} than {Q}.", "Of {X} and {Y}, {P} is {no}the {w} one.")
FAR_CLUES = (
    "When we compare {X} with {Y}, {P} is {no}{w}.",
    "Both {X} and {Y} came, and {P} is {no}the {w} of the two.",
)
# {P} stands between two persons
DOUBLE = ("{P} is {w} than {Q} but {v} than {R}.", "It is clear that {P} is {w} than {Q} but {v} than {R}.")
FAR_DOUBLE = (
    "When we compare the three, {P} is {w} than {Q} but {v} than {R}.",
    "All of them came, and {P} is {w} than {Q} but {v} than {R}.",
)
NO_TIES = "All of them differ."

ASKS: dict[Ask, tuple[str, str]] = {
    "most": ("Who is the {most}?", "Who of them is the {most}?"),
    "least": ("Who is the {least}?", "Who of them is the {least}?"),
    "second": ("Who is the second {most}?", "Who of them is the second {most}?"),
    "third": ("Who is the third {most}?", "Who of them is the third {most}?"),
    "middle": ("Who is in the middle?", "Who of them is in the middle?"),
    "between": ("Who is between {X} and {Y}?", "Who of them is between {X} and {Y}?"),
}
FAR_ASKS: dict[Ask, tuple[str, str]] = {
    "most": ("Find the {most} person.", "What is the name of the {most} one?"),
    "least": ("Find the {least} person.", "What is the name of the {least} one?"),
    "second": ("Find the second {most} person.", "What is the name of the second {most} one?"),
    "third": ("Find the third {most} person.", "What is the name of the third {most} one?"),
    "middle": ("Find the person in the middle.", "What is the name of the one in the middle?"),
    "between": ("Find the person between {X} and {Y}.", "What is the name of the one between {X} and {Y}?"),
}
PLACES: dict[str, int] = {"most": 0, "second": 1, "third": 2, "least": -1, "middle": 1}
