"""The intervals shared by grading, the page and the tables: by hand, by scipy, and with the digits of old versions."""

from __future__ import annotations

import math
import random
import statistics
import subprocess
import sys

import pytest
from scipy import stats

from sei.report.page.paired import Right, change
from sei.report.page.spread import spread
from sei.statistics import Z95, Z95_ROUNDED, alike, matched_difference, t_interval, wilson


@pytest.mark.parametrize(("correct", "n"), [(0, 10), (1, 1), (7, 10), (521, 1000), (1000, 1000)])
def test_wilson_agrees_with_scipy(correct, n):
    theirs = stats.binomtest(correct, n).proportion_ci(method="wilson")
    ours = wilson(correct, n, Z95)
    assert ours.ends == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert ours.mean == correct / n
    assert wilson(correct, n).ends == pytest.approx((theirs.low, theirs.high), abs=1e-8)


def test_wilson_by_hand():
    # 8 of 10, z = 1.96: (0.8 + 3.8416/20 ± 1.96 sqrt(0.16/10 + 3.8416/400)) / 1.38416
    assert wilson(8, 10).ends == pytest.approx((0.4902, 0.9433), abs=5e-5)
    assert wilson(50, 100).ends == pytest.approx((0.4038, 0.5962), abs=5e-5)


@pytest.mark.parametrize(("correct", "n"), [(0, 0), (-1, 3), (4, 3)])
def test_wilson_refuses_what_is_no_share(correct, n):
    with pytest.raises(ValueError, match="not a share"):
        wilson(correct, n)


def test_wilson_has_the_digits_of_all_summaries_so_far():
    assert float(stats.norm.ppf(0.975)) == Z95
    for z in (Z95_ROUNDED, Z95):
        for n in (1, 2, 7, 40, 100, 333, 1000):
            for k in range(n + 1):
                p = k / n
                centre = (p + z * z / (2 * n)) / (1 + z * z / n)
                half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
                assert wilson(k, n, z).ends == (max(0.0, centre - half), min(1.0, centre + half))
    assert wilson(30, 200).ends == (0.10713593533492478, 0.20605579333334928)


def test_t_interval_by_hand():
    # mean 3, sd 1.5811, 5 values: half width 2.7764 * 1.5811 / sqrt(5)
    got = t_interval([1, 2, 3, 4, 5])
    assert (got.mean, *got.ends) == pytest.approx((3, 3 - 1.96324, 3 + 1.96324), abs=1e-4)


def test_t_interval_agrees_with_scipy_and_the_page():
    draw = random.Random(0)
    for n in range(2, 31):
        values = [draw.randrange(1001) / 1000 for _ in range(n)]
        got = t_interval(values)
        theirs = stats.t.interval(0.95, n - 1, statistics.fmean(values), stats.sem(values))
        assert got.ends == pytest.approx(tuple(map(float, theirs)), abs=1e-14)
        shown = spread(values)
        ends = [*got.ends] if n > 2 else None  # two seeds are drawn as points
        assert (shown["ci95"], shown["mean"]) == (ends, statistics.fmean(values))


def test_one_value_has_no_interval_and_none_no_mean():
    got = t_interval([0.25])
    assert got.mean == 0.25
    assert not got.known
    with pytest.raises(ValueError, match="no values"):
        t_interval([])


def test_matched_pairs_by_hand_and_as_the_page_has_them():
    for fixed, broken, n in [(0, 0, 0), (5, 1, 10), (100, 20, 998), (3, 4, 7)]:
        middle = (fixed - broken) / (n + 2)
        half = 1.959964 * math.sqrt((fixed + broken + 1) / (n + 2) - middle**2) / math.sqrt(n + 2)
        assert matched_difference(fixed, broken, n).ends == (middle - half, middle + half)
        if not n:
            assert change({}, {}) is None
            continue
        before = {str(i): Right(float(fixed <= i), fixed <= i) for i in range(n)}
        stays = [not fixed <= i < fixed + broken for i in range(n)]
        after = {str(i): Right(float(x), x) for i, x in enumerate(stays)}
        assert change(before, after)["ci95"] == [middle - half, middle + half]


@pytest.mark.parametrize("counts", [(-1, 0, 5), (0, -1, 5), (3, 3, 5)])
def test_matched_pairs_refuse_more_changes_than_items(counts):
    with pytest.raises(ValueError, match="not matched pairs"):
        matched_difference(*counts)


@pytest.mark.parametrize(
    ("values", "equal"), [([0.3], True), ([0.1 + 0.2, 0.3], True), ([0.3, 0.3 + 1e-6], False), ([0.0, 0.5], False)]
)
def test_values_are_alike_where_rounding_alone_parts_them(values, equal):
    assert alike(values) is equal


def test_the_module_loads_nothing_heavy():
    code = "import sys, sei.statistics; print(sorted({'numpy', 'scipy', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
