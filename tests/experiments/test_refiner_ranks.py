"""The measure for comparing refiners."""

from __future__ import annotations

import pytest

from experiments.measurements.refiners import REFINERS, auc, parts, table
from sei.parts import is_part


def test_auc_counts_pairs_of_one_type_only():
    scores, flawed, types = [3.0, 1.0, 2.0, 9.0, 2.0], [False, True, True, True, False], ["a", "a", "a", "b", "a"]
    assert auc(scores, flawed, types) == (3.5, 4)
    assert auc([1.0], [True], ["a"]) == (0.0, 0)


def test_the_table_is_a_mean_over_seeds_with_its_interval():
    name = next(iter(REFINERS))
    same = {"rate": 0.1, "round": 1, "refiner": name, "n": 10, "seconds": 0.1}
    rows = [{**same, "seed": s, "auc": {"all": [v, 10], "slip": [v, 10]}} for s, v in ((1, 6.0), (2, 8.0))]
    head, _, line, *_ = table(rows)
    assert head == "| refiner | 10% flawed, base | slip | ms a candidate |"
    assert line == f"| {name} | 0.70 ± 1.27 | 0.70 ± 1.27 | 10.0 |"


@pytest.mark.parametrize("name", REFINERS)
def test_every_refiner_that_is_measured_composes(name):
    assert is_part(parts(*REFINERS[name])["method"].refine)
