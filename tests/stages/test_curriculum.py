"""Which rounds' data a round's weights have seen."""

import pytest

from sei.stages.curriculum import Curriculum


@pytest.mark.parametrize(
    ("start_from", "number", "behind"),
    [("base", 0, ()), ("base", 3, (3,)), ("previous", 0, ()), ("previous", 1, (1,)), ("previous", 3, (1, 2, 3))],
)
def test_weights_that_go_on_have_all_rounds_behind_them(start_from, number, behind):
    assert Curriculum(start_from=start_from).rounds_behind(number) == behind
