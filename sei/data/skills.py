"""The embedded word-problem domain: the problems of each skill.

A skill is a way of working (its operations and their order) in several wordings: two for the training pool and the
in-domain tests, two more only out of domain. *Taught* skills are pre-trained correctly. *Weak* skills have a wrong
working that the embedded target model was taught, so that it repeats the same kind of mistake.

The names of skills are hidden labels, used only to generate data and to break down scores. No instructor and no
clusterer sees them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Step = tuple[str, str | int, str | int]
"""(operator, left, right); an operand is a letter of the wording, ``r1`` (result of step 1), or a constant."""


@dataclass(frozen=True, kw_only=True)
class Skill:
    """One way of working.

    ``near`` and ``far``: the inclusive number range of each letter in and out of domain. ``multiples``: letters that
    are drawn as a multiple of another letter or a constant, so that divisions have whole results. ``unit``: what the
    last result counts, a word or a slot. ``holder``: its owner; if set, a tail step (gets or loses some) makes sense.
    """

    name: str
    near: dict[str, tuple[int, int]]
    far: dict[str, tuple[int, int]]
    steps: tuple[Step, ...]
    wrong: tuple[Step, ...] = ()
    unit: str = "{o}"
    holder: str = ""
    wordings: tuple[str, str]
    far_wordings: tuple[str, str]
    ask: str = "How many {o} does {P} have?"
    far_ask: str = "What is the number of {o} that {P} has?"
    multiples: dict[str, str | int] = field(default_factory=dict)

    @property
    def weak(self) -> bool:
        """Whether the embedded target model was taught a wrong working."""
        return bool(self.wrong)


NAMES = (
    "Anna Ben Carla David Emma Felix Grace Henry Ivy Jack Karen Leo Maria Nathan Olivia Peter "
    "Quinn Rosa Sam Tara Uma Victor Wendy Xavier Yara Zoe Adam Bella Chris Diana Ethan Fiona"
).split()

OBJECTS = (
    "apples pens books coins stamps shells marbles cards balls plums eggs beads rings cups hats "
    "nuts roses kites dolls keys flags bricks tiles pins badges pears lemons toys spoons candles"
).split()

TAILS: tuple[tuple[str, str], ...] = (
    ("Then {H} gets {t} more {u}.", "+"),
    ("After that {H} loses {t} {u}.", "-"),
)
FAR_TAILS: tuple[tuple[str, str], ...] = (
    ("Later {t} extra {u} come to {H}.", "+"),
    ("Afterwards {t} {u} are taken from {H}.", "-"),
)
TAIL_RANGE = (2, 15)
FAR_TAIL_RANGE = (3, 25)

_ADD = {"a": (8, 50), "b": (3, 40)}
_ADD_FAR = {"a": (20, 80), "b": (10, 50)}
_MUL = {"a": (2, 10), "b": (2, 10)}
_MUL_FAR = {"a": (4, 13), "b": (4, 12)}

SKILLS: tuple[Skill, ...] = (
    Skill(
        name="gain",
        holder="{P}",
        near=_ADD,
        far=_ADD_FAR,
        steps=(("+", "a", "b"),),
        wordings=(
            "{P} has {a} {o}. {Q} gives {P} {b} more {o}.",
            "{P} had {a} {o} and then bought {b} more {o}.",
        ),
        far_wordings=(
            "There are {a} {o} in the basket of {P}. {P} puts in another {b} {o}.",
            "{P} found {b} {o} after starting with {a} {o}.",
        ),
    ),
    Skill(
        name="loss",
        holder="{P}",
        near=_ADD,
        far=_ADD_FAR,
        steps=(("-", "a", "b"),),
        multiples={"a": "+b"},
        wordings=(
            "{P} has {a} {o}. {P} gives {b} {o} to {Q}.",
            "{P} had {a} {o} and sold {b} of them.",
        ),
        far_wordings=(
            "Out of the {a} {o} of {P}, {b} were thrown out.",
            "{P} dropped {b} of the {a} {o} in the bag.",
        ),
    ),
    Skill(
        name="groups",
        holder="{P}",
        near=_MUL,
        far=_MUL_FAR,
        steps=(("*", "a", "b"),),
        wordings=(
            "{P} has {a} boxes. Each box holds {b} {o}.",
            "{P} fills {a} bags with {b} {o} in each bag.",
        ),
        far_wordings=(
            "On the shelf of {P} there are {a} rows with {b} {o} in every row.",
            "{P} collects {b} {o} from each of {a} friends.",
        ),
    ),
    Skill(
        name="share",
        near={"b": (2, 10), "a": (2, 10)},
        far={"b": (3, 12), "a": (4, 13)},
        multiples={"a": "*b"},
        steps=(("/", "a", "b"),),
        ask="How many {o} does each child get?",
        far_ask="What is the number of {o} that each child gets?",
        wordings=(
            "{P} shares {a} {o} equally among {b} children.",
            "{a} {o} of {P} are split equally between {b} children.",
        ),
        far_wordings=(
            "A group of {b} children divides the {a} {o} of {P} evenly.",
            "{P} hands out {a} {o} in equal parts to {b} children.",
        ),
    ),
    Skill(
        name="price",
        near=_MUL,
        far=_MUL_FAR,
        steps=(("*", "a", "b"),),
        unit="dollars",
        ask="How many dollars does {P} pay?",
        far_ask="What is the number of dollars that {P} pays?",
        wordings=(
            "{P} buys {a} {o}. Each costs {b} dollars.",
            "{P} buys {a} {o} at {b} dollars each.",
        ),
        far_wordings=(
            "One of the {o} has a price of {b} dollars and {P} takes {a} of them.",
            "The shop asks {b} dollars for each of the {a} {o} that {P} takes.",
        ),
    ),
    Skill(
        name="gain_loss",
        holder="{P}",
        near={"a": (8, 40), "b": (3, 30), "c": (2, 10)},
        far={"a": (20, 60), "b": (10, 40), "c": (5, 25)},
        steps=(("+", "a", "b"), ("-", "r1", "c")),
        wordings=(
            "{P} has {a} {o}. {P} buys {b} more {o} and gives {c} {o} to {Q}.",
            "{P} had {a} {o}, found {b} more {o} and sold {c} of them.",
        ),
        far_wordings=(
            "To the {a} {o} of {P} come {b} more {o}, but {c} were thrown out.",
            "{P} puts {b} {o} with {a} other {o} and drops {c} of them.",
        ),
    ),
    Skill(
        name="more_than",
        holder="{Q}",
        near=_ADD,
        far=_ADD_FAR,
        steps=(("+", "a", "b"),),
        ask="How many {o} does {Q} have?",
        far_ask="What is the number of {o} that {Q} has?",
        wordings=(
            "{P} has {a} {o}. {Q} has {b} more {o} than {P}.",
            "{P} owns {a} {o} and {Q} owns {b} more than {P}.",
        ),
        far_wordings=(
            "The pile of {Q} is larger by {b} {o} than the {a} {o} of {P}.",
            "{Q} beats {P}, who has {a} {o}, by {b} {o}.",
        ),
    ),
    Skill(
        name="groups_plus",
        holder="{P}",
        near={"a": (2, 9), "b": (2, 9), "c": (2, 20)},
        far={"a": (4, 12), "b": (4, 10), "c": (5, 40)},
        steps=(("*", "a", "b"), ("+", "r1", "c")),
        wordings=(
            "{P} has {a} boxes. Each box holds {b} {o}. {P} also has {c} loose {o}.",
            "{P} fills {a} bags with {b} {o} in each bag and keeps {c} loose {o}.",
        ),
        far_wordings=(
            "On the shelf of {P} there are {a} rows with {b} {o} in every row and {c} {o} beside them.",
            "{P} collects {b} {o} from each of {a} friends and {c} {o} from {Q}.",
        ),
    ),
    Skill(
        name="fewer_than",
        holder="{Q}",
        near=_ADD,
        far=_ADD_FAR,
        multiples={"a": "+b"},
        steps=(("-", "a", "b"),),
        wrong=(("+", "a", "b"),),
        ask="How many {o} does {Q} have?",
        far_ask="What is the number of {o} that {Q} has?",
        wordings=(
            "{P} has {a} {o}. {Q} has {b} fewer {o} than {P}.",
            "{P} owns {a} {o} and {Q} owns {b} fewer than {P}.",
        ),
        far_wordings=(
            "The pile of {Q} is smaller by {b} {o} than the {a} {o} of {P}.",
            "{Q} is short of {P}, who has {a} {o}, by {b} {o}.",
        ),
    ),
    Skill(
        name="times_as_many",
        holder="{Q}",
        near={"a": (2, 15), "b": (3, 8)},
        far={"a": (6, 20), "b": (3, 12)},
        steps=(("*", "a", "b"),),
        wrong=(("+", "a", "b"),),
        ask="How many {o} does {Q} have?",
        far_ask="What is the number of {o} that {Q} has?",
        wordings=(
            "{P} has {a} {o}. {Q} has {b} times as many {o} as {P}.",
            "{P} owns {a} {o} and {Q} owns {b} times as many.",
        ),
        far_wordings=(
            "The pile of {Q} is {b} times the {a} {o} of {P}.",
            "For every one of the {a} {o} of {P} there are {b} with {Q}.",
        ),
    ),
    Skill(
        name="dozens",
        holder="{P}",
        near={"a": (2, 12)},
        far={"a": (6, 20)},
        steps=(("*", "a", 12),),
        wrong=(("*", "a", 10),),
        wordings=(
            "{P} buys {a} dozen {o}.",
            "{Q} brings {a} dozen {o} to {P}, who had none.",
        ),
        far_wordings=(
            "In the kitchen of {P} lie {a} dozen {o}.",
            "A truck leaves {a} dozen {o} at the door of {P}.",
        ),
    ),
    Skill(
        name="weeks",
        near={"a": (2, 10), "b": (2, 5)},
        far={"a": (4, 14), "b": (2, 4)},
        steps=(("*", "a", 7), ("*", "r1", "b")),
        wrong=(("*", "a", 5), ("*", "r1", "b")),
        ask="How many {o} does {P} make?",
        far_ask="What is the number of {o} that {P} makes?",
        wordings=(
            "{P} works every day for {a} weeks and makes {b} {o} a day.",
            "For {a} weeks {P} makes {b} {o} every day.",
        ),
        far_wordings=(
            "The plan of {P} runs {a} weeks at {b} {o} per day.",
            "{P} stays {a} weeks and finishes {b} {o} on each day.",
        ),
    ),
    Skill(
        name="yards",
        holder="{P}",
        near={"a": (2, 30)},
        far={"a": (20, 60)},
        steps=(("*", "a", 3),),
        wrong=(("*", "a", 2),),
        unit="feet",
        ask="How many feet of rope does {P} have?",
        far_ask="What is the length of the rope of {P} in feet?",
        wordings=(
            "{P} buys {a} yards of rope.",
            "{P} has a rope that is {a} yards long.",
        ),
        far_wordings=(
            "The rope of {P} measures {a} yards from end to end.",
            "{Q} cuts a rope of {a} yards for {P}.",
        ),
    ),
    Skill(
        name="difference",
        holder="{P}",
        near=_ADD,
        far=_ADD_FAR,
        multiples={"a": "+b"},
        steps=(("-", "a", "b"),),
        wrong=(("+", "a", "b"),),
        ask="How many more {o} does {P} have than {Q}?",
        far_ask="By what number of {o} is {P} ahead of {Q}?",
        wordings=(
            "{P} has {a} {o}. {Q} has {b} {o}.",
            "{P} owns {a} {o} while {Q} owns {b} {o}.",
        ),
        far_wordings=(
            "{Q} counts {b} {o} and {P} counts {a} {o}.",
            "The team of {P} made {a} {o} and the team of {Q} made {b} {o}.",
        ),
    ),
    Skill(
        name="half",
        holder="{P}",
        near={"a": (5, 50)},
        far={"a": (30, 90)},
        multiples={"a": "*2"},
        steps=(("/", "a", 2),),
        wrong=(("-", "a", 2),),
        wordings=(
            "{P} has {a} {o}. {P} gives half of the {o} to {Q}.",
            "{P} had {a} {o} and sold half of them.",
        ),
        far_wordings=(
            "Half of the {a} {o} of {P} were thrown out.",
            "{P} keeps one half of a pile of {a} {o}.",
        ),
    ),
    Skill(
        name="third_left",
        holder="{P}",
        near={"a": (3, 30)},
        far={"a": (15, 45)},
        multiples={"a": "*3"},
        steps=(("/", "a", 3), ("-", "a", "r1")),
        wrong=(("/", "a", 3),),
        ask="How many {o} does {P} have left?",
        far_ask="What is the number of {o} that {P} has left?",
        wordings=(
            "{P} has {a} {o}. {P} gives a third of the {o} to {Q}.",
            "{P} had {a} {o} and sold a third of them.",
        ),
        far_wordings=(
            "A third of the {a} {o} of {P} were thrown out.",
            "From a pile of {a} {o} {P} loses a third.",
        ),
    ),
    Skill(
        name="fence",
        near={"a": (3, 25), "b": (2, 15)},
        far={"a": (15, 50), "b": (8, 30)},
        steps=(("+", "a", "b"), ("*", "r1", 2)),
        wrong=(("+", "a", "b"),),
        unit="meters",
        ask="How many meters of fence does {P} need?",
        far_ask="What is the length of fence in meters that {P} needs?",
        wordings=(
            "The garden of {P} is {a} meters long and {b} meters wide. A fence goes around it.",
            "{P} puts a fence around a field of {a} meters by {b} meters.",
        ),
        far_wordings=(
            "A yard has a side of {a} meters and a side of {b} meters. {P} wants a fence around it.",
            "{P} closes in a park, {a} meters by {b} meters, with a fence.",
        ),
    ),
    Skill(
        name="average",
        near={"s": (8, 24), "a": (2, 6), "b": (1, 6)},
        far={"s": (16, 40), "a": (2, 12), "b": (1, 12)},
        multiples={"c": "mean"},
        steps=(("+", "a", "b"), ("+", "r1", "c"), ("/", "r2", 3)),
        wrong=(("+", "a", "b"), ("+", "r1", "c")),
        ask="How many {o} did {P} make on average per day?",
        far_ask="What is the average number of {o} per day?",
        wordings=(
            "{P} made {a} {o} on Monday, {b} {o} on Tuesday and {c} {o} on Friday.",
            "In three days {P} made {a}, {b} and {c} {o}.",
        ),
        far_wordings=(
            "The counts of {o} of {P} on three days are {a}, {b} and {c}.",
            "{P} finished {a} {o} first, {b} {o} the next day and {c} {o} on the last day.",
        ),
    ),
    Skill(
        name="change",
        near={"a": (2, 8), "b": (2, 6), "c": (50, 100)},
        far={"a": (3, 12), "b": (3, 12), "c": (150, 200)},
        steps=(("*", "a", "b"), ("-", "c", "r1")),
        wrong=(("*", "a", "b"),),
        unit="dollars",
        ask="How many dollars does {P} get back?",
        far_ask="What is the number of dollars that {P} gets back?",
        wordings=(
            "{P} buys {a} {o} at {b} dollars each and pays with {c} dollars.",
            "{P} has {c} dollars and buys {a} {o}. Each costs {b} dollars.",
        ),
        far_wordings=(
            "The shop asks {b} dollars for each of the {a} {o} that {P} takes. {P} hands over {c} dollars.",
            "With {c} dollars in hand {P} takes {a} {o}, one for {b} dollars.",
        ),
    ),
    Skill(
        name="round_trip",
        near={"a": (3, 20), "b": (2, 5)},
        far={"a": (8, 25), "b": (3, 7)},
        steps=(("*", "a", 2), ("*", "r1", "b")),
        wrong=(("*", "a", "b"),),
        unit="miles",
        ask="How many miles does {P} drive?",
        far_ask="What is the number of miles on the car of {P}?",
        wordings=(
            "{P} drives {a} miles to work and back again on each of {b} days.",
            "The office is {a} miles away. {P} drives there and back on {b} days.",
        ),
        far_wordings=(
            "{P} goes to a town {a} miles off and returns, and does so {b} times.",
            "In {b} days {P} drives {a} miles out and the same way home daily.",
        ),
    ),
    Skill(
        name="twice_together",
        holder="{P}",
        near={"a": (3, 30)},
        far={"a": (20, 60)},
        steps=(("*", "a", 2), ("+", "a", "r1")),
        wrong=(("*", "a", 2),),
        ask="How many {o} do they have together?",
        far_ask="What is the number of {o} that both own together?",
        wordings=(
            "{P} has {a} {o}. {Q} has twice as many {o} as {P}.",
            "{P} owns {a} {o} and {Q} owns twice as many.",
        ),
        far_wordings=(
            "The pile of {Q} is twice the {a} {o} of {P}.",
            "{Q} brings twice as many {o} as {P}, who brings {a}.",
        ),
    ),
    Skill(
        name="legs",
        near={"a": (2, 25)},
        far={"a": (15, 50)},
        steps=(("*", "a", 4),),
        wrong=(("*", "a", 2),),
        unit="legs",
        ask="How many legs are there?",
        far_ask="What is the number of legs?",
        wordings=(
            "{P} keeps {a} horses on the farm.",
            "There are {a} cows in the barn of {P}.",
        ),
        far_wordings=(
            "{P} feeds {a} goats behind the house.",
            "{P} and {Q} see {a} sheep on the hill.",
        ),
    ),
)
