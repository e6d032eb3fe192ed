from __future__ import annotations

from sei.records import (
    Attempt,
    BadCase,
    Checkpoint,
    ErrorMap,
    ErrorType,
    Graded,
    Keyphrase,
    PoolProblem,
    RefinedSet,
    RoundRecord,
    Synthesis,
    Trained,
)
from sei.report import plots
from sei.report.flow import SOLVED, flows, grouped, places
from sei.report.summary import flips


def problem(i: int) -> PoolProblem:
    return PoolProblem(id=f"p{i}", question="q", answer="1", solution="s")


def record(number: int, types: dict[str, list[int]], n: int = 8, unreadable: int = -1) -> RoundRecord:
    wrong = {i for members in types.values() for i in members}
    verdicts = ["wrong" if i in wrong else "unreadable" if i == unreadable else "right" for i in range(n)]
    graded = tuple(
        Graded(attempt=Attempt(problem=problem(i), output="o", finished=True), verdict=v, strict_verdict=v)
        for i, v in enumerate(verdicts)
    )
    made = []
    for name, members in types.items():
        cases = [BadCase(problem=problem(i), output="o", extracted="2") for i in members]
        phrases = tuple(Keyphrase(bad_case=c, phrase=name) for c in cases)
        made.append(ErrorType(name=name, members=phrases, exemplars=tuple(cases), validation=()))
    return RoundRecord(
        round=number,
        graded=graded,
        diagnoses=(),
        error_map=ErrorMap(types=tuple(made)),
        synthesis=Synthesis(candidates=(), rejections=()),
        refined=RefinedSet(scored=()),
        training=(),
        trained=Trained(checkpoint=Checkpoint(digest="x"), curve=(), steps=0, tokens=0, examples=0),
        evaluation=(),
        scores={},
    )


FIRST = record(1, {"adds": [0, 1, 2], "stops early": [3, 4]}, unreadable=5)
SECOND = record(2, {"adds too much": [1], "stops early": [2, 4, 7]})


def test_every_problem_of_a_type_is_followed_into_the_next_round():
    found = {f.error_type: f for f in flows([FIRST, SECOND])}
    assert found["adds"].goes_to == {"solved": 1, "adds too much": 1, "stops early": 1}
    assert found["adds"].solved == 1 / 3
    assert found["stops early"].goes_to == {"solved": 1, "stops early": 1}
    assert found["solved"].goes_to == {"solved": 1, "stops early": 1}
    assert found["unreadable"].goes_to == {"solved": 1}
    assert flows([FIRST]) == ()


def test_small_types_are_grouped_and_what_has_no_type_is_not():
    column = grouped(places(FIRST), 1)
    assert sorted(set(column.values())) == ["adds", "other types", SOLVED, "unreadable"]


def test_the_picture_is_drawn_for_any_number_of_rounds(tmp_path):
    plots.type_flow([FIRST, SECOND, record(3, {})], tmp_path / "flow.png")
    assert (tmp_path / "flow.png").stat().st_size > 5000


def test_fixed_broken_and_kept_count_test_items_only():
    from sei.records import HeldOutProblem

    def graded(verdicts: str, role: str) -> tuple[Graded, ...]:
        names = {"r": "right", "w": "wrong"}
        return tuple(
            Graded(
                attempt=Attempt(
                    problem=HeldOutProblem(id=f"{role}{i}", question="q", answer="1", set="s", role=role),
                    output="o",
                    finished=True,
                ),
                verdict=names[v],
                strict_verdict=names[v],
            )
            for i, v in enumerate(verdicts)
        )

    before = graded("rrwww", "in_domain") + graded("ww", "dev")
    after = graded("rwrrw", "in_domain") + graded("rr", "dev")
    assert flips(before, after) == {"fixed": 2, "broken": 1, "kept": 1}
