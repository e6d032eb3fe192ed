"""Every statistic against values computed by hand, by scipy, or by counting all cases."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, stats

from sei.compare import significance as st
from sei.statistics import clustered, clustered_error


def test_paired_t_agrees_with_scipy():
    a, b = [0.81, 0.84, 0.79, 0.9, 0.77], [0.8, 0.82, 0.8, 0.84, 0.75]
    ours, theirs = st.paired_t(a, b), stats.ttest_rel(a, b)
    ends = theirs.confidence_interval(0.95)
    assert ours.p == pytest.approx(theirs.pvalue)
    assert (ours.delta.low, ours.delta.high) == pytest.approx((ends.low, ends.high))
    assert ours.n == 5


def test_equal_differences_are_no_proof():
    got = st.paired_t([0.877, 0.861, 0.5], [0.867, 0.851, 0.49])
    assert (got.p, got.delta.known) == (None, False)
    assert got.delta.mean == pytest.approx(0.01)
    assert st.paired_t([0.5, 0.6], [0.5, 0.6]).p is None


@pytest.mark.parametrize("pair", [([1.0], [1.0]), ([1.0, 2.0], [1.0])])
def test_paired_t_needs_pairs(pair):
    with pytest.raises(ValueError, match="do not form pairs"):
        st.paired_t(*pair)


def test_clustered_error_by_hand():
    # mean 0.5; sums of deviations: a 1.0, b -0.5, c -0.5; sqrt(1 + .25 + .25) / 4
    assert clustered_error([1, 1, 0, 0], ["a", "a", "b", "c"]) == pytest.approx(math.sqrt(1.5) / 4)


def test_clusters_of_one_give_the_usual_error():
    x = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0]
    assert clustered_error(x, range(7)) == pytest.approx(np.std(x) / math.sqrt(7))


def test_repeating_answers_adds_no_information():
    x = [1.0, 0.0, 0.0, 1.0, 1.0]
    once, thrice = clustered(x, range(5)), clustered(x * 3, list(range(5)) * 3)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_clustered_agrees_with_the_double_sum_of_the_paper():
    rng = np.random.default_rng(1)
    x, c = rng.random(40), rng.integers(0, 9, 40)
    d = x - x.mean()
    double = sum(d[i] * d[j] for i, j in itertools.product(range(40), repeat=2) if c[i] == c[j])
    assert clustered_error(list(x), list(c)) == pytest.approx(math.sqrt(double) / 40)


def test_clustered_refuses_different_lengths():
    with pytest.raises(ValueError, match="clusters"):
        clustered([1.0, 0.0], ["a"])


def test_bootstrap_agrees_with_scipy():
    rng = np.random.default_rng(0)
    x = (rng.random(400) < 0.3).astype(float)
    theirs = stats.bootstrap((x,), np.mean, n_resamples=10_000, method="percentile", rng=rng).confidence_interval
    ours = st.bootstrap([list(x)])
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.005)
    assert ours.mean == pytest.approx(x.mean())


def test_bootstrap_weighs_sets_alike_and_repeats_itself():
    got = st.bootstrap([[1.0] * 10, [0.0, 1.0]])
    assert got.mean == 0.75
    assert (got.low, got.high) == (0.5, 1.0)
    assert got == st.bootstrap([[1.0] * 10, [0.0, 1.0]])


@pytest.mark.parametrize("sets", [[], [[]], [[1.0], []]])
def test_bootstrap_refuses_nothing(sets):
    with pytest.raises(ValueError, match=r"no (set|values)"):
        st.bootstrap(sets)


def test_mcnemar_by_hand():
    assert st.mcnemar(5, 0) == pytest.approx(2 / 32)
    assert st.mcnemar(1, 7) == pytest.approx(2 * (1 + 8) / 256)
    assert st.mcnemar(4, 4) == 1.0
    assert st.mcnemar(0, 0) is None
    assert st.sign_flip([[0.0] * 5]) is None
    assert st.sign_flip([[0.0] * 5, [0.0] * 3]) is None


def test_mcnemar_agrees_with_the_binomial_test():
    for b, c in itertools.product(range(12), repeat=2):
        if b + c:
            assert st.mcnemar(b, c) == pytest.approx(stats.binomtest(b, b + c).pvalue)


def test_mcnemar_refuses_negative_counts():
    with pytest.raises(ValueError, match="negative"):
        st.mcnemar(-1, 3)


def test_holm_by_hand():
    # sorted .01 .02 .03 .04, times 4 3 2 1, never falling
    got = st.holm({"a": 0.04, "b": 0.01, "c": 0.03, "d": 0.02})
    assert got == pytest.approx({"b": 0.04, "d": 0.06, "c": 0.06, "a": 0.06})
    assert st.holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}
    assert st.holm({}) == {}


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_detectable_t_has_the_power_by_integration(n):
    delta = st.detectable_t(1.0, n) * math.sqrt(n)
    limit = stats.t.ppf(0.975, n - 1)

    def density(v):  # of the variance, times the chance that the mean lies beyond the limit
        s = math.sqrt(v / (n - 1))
        beyond = stats.norm.sf(limit * s - delta) + stats.norm.cdf(-limit * s - delta)
        return stats.chi2.pdf(v, n - 1) * beyond

    cuts = [0, *stats.chi2.ppf([0.2, 0.5, 0.8, 1 - 1e-12], n - 1)]
    power = sum(integrate.quad(density, a, b)[0] for a, b in itertools.pairwise(cuts))
    assert power == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize("n", [4, 5, 10, 50])
def test_detectable_t_has_the_power_by_the_noncentral_t(n):
    shift, limit = st.detectable_t(3.0, n) / 3.0 * math.sqrt(n), stats.t.ppf(0.975, n - 1)
    assert stats.nct.sf(limit, n - 1, shift) == pytest.approx(0.8, abs=1e-4)  # the other side adds next to nothing


def test_detectable_t_of_many_pairs_is_the_normal_one():
    assert st.detectable_t(2.0, 10_000) == pytest.approx((1.95996 + 0.84162) * 2.0 / 100, rel=1e-3)


def test_detectable_t_of_no_spread_and_of_too_little():
    assert st.detectable_t(0.0, 5) == 0.0
    with pytest.raises(ValueError, match="two pairs"):
        st.detectable_t(1.0, 1)


def test_detectable_mcnemar_by_hand():
    # six discordant pairs are significant only when all fall on one side: x^6 + (1 - x)^6 = 0.8
    share = (st.detectable_mcnemar(6, 100) * 100 / 6 + 1) / 2
    assert share**6 + (1 - share) ** 6 == pytest.approx(0.8)
    assert st.detectable_mcnemar(5, 100) is None
    assert st.detectable_mcnemar(0, 100) is None


def test_detectable_mcnemar_of_many_pairs_is_near_the_normal_one():
    # z_a sqrt(q) + z_b sqrt(q - d^2) = d sqrt(n), q the discordant share
    d, q, n = st.detectable_mcnemar(2000, 10_000), 0.2, 10_000
    assert d * 100 == pytest.approx(1.95996 * math.sqrt(q) + 0.84162 * math.sqrt(q - d * d), rel=0.03)
    assert math.sqrt(n) == 100


def test_detectable_mcnemar_refuses_more_differences_than_items():
    with pytest.raises(ValueError, match="cannot differ"):
        st.detectable_mcnemar(4, 3)


def test_sign_flips_of_one_set_are_the_exact_mcnemar_test():
    items = [1.0] * 10 + [-1.0] * 30 + [0.0] * 60
    assert st.sign_flip([items]) == st.mcnemar(10, 30)
    assert st.detectable_sign_flip([items]) == st.detectable_mcnemar(40, 100)


def test_sign_flips_over_two_sets_agree_with_counting_all_signs():
    sets = [[1.0] * 4 + [-1.0] + [0.0] * 5, [1.0] * 3 + [0.0]]
    seen = sum(sum(s) / len(s) for s in sets)
    at_least = 0
    for signs in itertools.product((1, -1), repeat=8):
        drawn = sum(signs[:5]) / 10 + sum(signs[5:]) / 4
        at_least += abs(drawn) >= abs(seen) - 1e-9
    assert st.sign_flip(sets) == pytest.approx(at_least / 2**8, abs=0.004)


def test_a_detectable_difference_is_found_four_times_in_five():
    rng = np.random.default_rng(0)
    sizes, discordant = (400, 150), (120, 60)
    blank = [[1.0] * d + [0.0] * (n - d) for n, d in zip(sizes, discordant, strict=True)]
    least = st.detectable_sign_flip(blank)
    share = 0.5 + least / 2 / np.mean([d / n for n, d in zip(sizes, discordant, strict=True)])
    found = 0
    for _ in range(200):
        flips = [rng.binomial(d, share) for d in discordant]
        rows = [
            [1.0] * k + [-1.0] * (d - k) + [0.0] * (n - d) for k, d, n in zip(flips, discordant, sizes, strict=True)
        ]
        found += st.sign_flip(rows, draws=4000) < 0.05
    assert 0.7 < found / 200 < 0.9


@pytest.mark.parametrize("test", [st.sign_flip, st.detectable_sign_flip])
def test_sign_flips_need_sets_with_items(test):
    for sets in ([], [[1.0], []]):
        with pytest.raises(ValueError, match="no"):
            test(sets)
