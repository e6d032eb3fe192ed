"""Numbers of a card: with an interval if possible, and never 0 for something that was not asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from sei.card.measure import Measured, Plan, _problems
from sei.card.meter import Meter
from sei.card.numbers import mean, not_asked, share, unknown
from sei.card.phrases import agreement, labelled
from sei.card.rows import Rows
from sei.exchange import Draft, Reply, SynthesisRequest
from sei.instructors.remote.drafts import draft_of
from sei.ports import Grader, Instructor
from sei.records import Rejection


def test_the_labelled_phrases_come_with_the_package():
    assert len(labelled()) == 328
    assert sum(x.half == "report" for x in labelled()) == 167


def test_an_index_has_the_interval_of_the_jackknife():
    rng = np.random.default_rng(0)
    types = [str(t) for t in rng.integers(4, size=60)]
    groups = [int(t) if rng.random() < 0.7 else int(rng.integers(4)) for t in types]
    found = agreement(types, groups)
    value = adjusted_rand_score(types, groups)
    left_out = np.array(
        [adjusted_rand_score(types[:i] + types[i + 1 :], groups[:i] + groups[i + 1 :]) for i in range(60)]
    )
    half = 1.959964 * np.sqrt(59 / 60 * ((left_out - left_out.mean()) ** 2).sum())
    assert found["ARI"].mean == pytest.approx(value)
    assert found["ARI"].ends == pytest.approx((value - half, value + half), abs=1e-6)
    assert found["AMI"].low < found["AMI"].mean < found["AMI"].high


def test_what_stands_in_no_group_stands_alone():
    types = ["a", "a", "b", "b", "c", "c"]
    assert agreement(types, [0, 0, 1, 1, -1, -1])["ARI"].mean == adjusted_rand_score(types, [0, 0, 1, 1, 2, 3])


@pytest.mark.slow
def test_the_interval_covers_as_often_as_it_says():
    """In 200 draws the interval covers the true value about as often as it claims."""
    rng = np.random.default_rng(1)
    whole = [(str(t), int(t) if rng.random() < 0.6 else int(rng.integers(5))) for t in rng.integers(5, size=20_000)]
    truth = adjusted_rand_score(*zip(*whole, strict=True))
    held = 0
    for _ in range(200):
        types, groups = zip(*(whole[i] for i in rng.integers(len(whole), size=120)), strict=True)
        found = agreement(types, groups)["ARI"]
        held += found.low <= truth <= found.high
    assert 180 <= held <= 199


def test_shares_and_means_are_shown_with_their_interval():
    assert share("g", "t", 45, 50).shown == "90.0 %"
    assert share("g", "t", 45, 50).interval == "[78.6 %, 95.7 %]"
    assert mean("g", "t", "tokens", [100.0, 300.0, 200.0]).interval == "[0, 448]"  # no fewer than none
    assert mean("g", "t", "seconds", [0.5], 10).interval == ""
    assert mean("g", "t", "USD", [0.000123, 0.000123]).shown == "0.00012"


def test_what_was_not_asked_is_no_number():
    for made in (
        not_asked("g", "t", "share", "why"),
        unknown("g", "t", "USD", "why"),
        share("g", "t", 0, 0, none="why"),
    ):
        assert (made.value, made.low, made.n, made.why) == (None, None, 0, "why")
    assert not_asked("g", "t", "share", "").shown == "not asked"
    assert unknown("g", "t", "USD", "").shown == "?"


@pytest.mark.parametrize("per_request", [5, 2, 1])
def test_problems_count_alike_in_requests_of_any_size(per_request):
    """A reply whose problems all failed was left out: of 20 problems, half of them wrong, 50 to 100 % passed."""
    asked = {"question": "Anna has 3 pens and buys 4. How many?", "answer": "7"}
    right, wrong = ({**asked, "solution": f"3+4={n}\n#### {n}"} for n in (7, 8))

    def write(requests):
        for i, request in enumerate(requests):
            found = [right if (i * per_request + k) % 4 < 2 else wrong for k in range(request.n)]
            judged = [draft_of(x, "t", (), (), verify=True, ending="hash") for x in found]
            drafts = tuple(d for d in judged if isinstance(d, Draft))
            yield Reply(drafts=drafts, rejections=tuple(r for r in judged if isinstance(r, Rejection)))
        yield Reply(drafts=(), rejections=(Rejection(stage="synthesize", reason="off_contract"),), whole=True)

    size = 20 // per_request
    requests = tuple(
        SynthesisRequest(error_type="t", exemplars=(), n=per_request, index=i, seed=0) for i in range(size)
    )
    asks = Plan(rows=Rows(source="x", human=False, rows=()), sample=(), requests=requests)
    meter, out = Meter(cast(Instructor, object())), Measured()
    meter.remote = True
    _problems(asks, cast(Instructor, SimpleNamespace(write=write)), cast(Grader, None), meter, out)
    assert (out.numbers[0].n, out.numbers[0].value) == (20, 0.5)
    assert meter.refused == {"off_contract": 1}
