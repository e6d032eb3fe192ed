"""The saturation curve: types by number of bad cases read, in this order and as a mean over all orders."""

from __future__ import annotations

import itertools
import math

import pytest

from sei.report.page.build import gather
from sei.report.page.saturation import rarefied, saturation
from tests.report.run_folders import make_run


@pytest.mark.parametrize("sizes", [[3], [1, 1, 1], [4, 2, 1], [1, 5]])
def test_the_expected_number_is_the_mean_over_all_orders(sizes):
    labels = [k for k, n in enumerate(sizes) for _ in range(n)]
    for m, expected in enumerate(rarefied(sizes)):
        subsets = list(itertools.combinations(range(len(labels)), m))
        seen = [len({labels[i] for i in chosen}) for chosen in subsets]
        assert expected == pytest.approx(sum(seen) / len(seen))
        n = len(labels)
        assert expected == pytest.approx(sum(1 - math.comb(n - s, m) / math.comb(n, m) for s in sizes))


def test_a_curve_counts_types_in_the_order_read():
    found = saturation(["a", "b", "a", "a", "b", "a", "b", "a", "c", "d"])
    assert found["points"][0] == [1, 1, 1.0]
    assert found["points"][-1] == [10, 4, 4.0]
    assert [p[1] for p in found["points"]] == [1, 2, 2, 2, 2, 2, 2, 2, 3, 4]
    assert (found["tail"], found["added"], found["singletons"]) == (1, 1, 2)
    assert found["expected_added"] == pytest.approx(2 / 10)  # Good and Turing: exact for the last case
    assert saturation([]) is None
    assert saturation(["a"])["points"] == [[1, 1, 1.0]]


def test_a_curve_of_many_cases_has_few_points_and_its_ends():
    found = saturation([str(i % 40) for i in range(5000)])
    assert len(found["points"]) <= 63
    assert found["points"][0][0] == 1
    assert found["points"][-1][:2] == [5000, 40]
    assert (found["added"], found["singletons"]) == (0, 0)


def test_every_round_of_a_page_has_its_curve(tmp_path):
    data = gather(make_run(tmp_path / "run", 20, 15))
    assert [r["saturation"]["cases"] for r in data["rounds"]] == [19, 14]
    assert [r["saturation"]["types"] for r in data["rounds"]] == [len(r["types"]) for r in data["rounds"]]
