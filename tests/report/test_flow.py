from __future__ import annotations

from sei.records import Graded
from sei.report import plots
from sei.report.flow import SOLVED, flows, grouped, places
from sei.report.summary import flips
from tests.builders import graded, held_out
from tests.report.run_folders import small_record as record

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
    column = grouped(places(FIRST).of, 1)
    assert sorted(set(column.values())) == ["adds", "other types", SOLVED, "unreadable"]


def test_the_picture_is_drawn_for_any_number_of_rounds(tmp_path):
    plots.type_flow([places(r) for r in (FIRST, SECOND, record(3, {}))], tmp_path / "flow.png")
    assert (tmp_path / "flow.png").stat().st_size > 5000


def test_fixed_broken_and_kept_count_test_items_only():
    def judged(verdicts: str, role: str) -> tuple[Graded, ...]:
        names = {"r": "right", "w": "wrong"}
        return tuple(graded(held_out(f"{role}{i}", role=role), names[v]) for i, v in enumerate(verdicts))

    before = judged("rrwww", "in_domain") + judged("ww", "dev")
    after = judged("rwrrw", "in_domain") + judged("rr", "dev")
    assert flips(before, after) == {"fixed": 2, "broken": 1, "kept": 1}
