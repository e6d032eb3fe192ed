from __future__ import annotations

import pytest

from sei.data.arithmetic import Arithmetic
from sei.errors import ConfigError
from sei.models.reading import require_words
from sei.models.target import TargetModel
from tests.builders import TINY


def test_a_model_that_cannot_read_the_data_is_refused():
    asked = ["Natalia sold clips to 48 of her friends in April."] * 3 + [
        "Anna has 3 pens. How many pens does Anna have?"
    ]
    with pytest.raises(
        ConfigError, match=r"does not know words of 3 of 4 questions .*'Natalia' in 'Question: Natalia sold clips"
    ):
        require_words(TINY, asked)


def test_the_embedded_model_reads_its_domain():
    require_words(TINY, [p.question for p in Arithmetic(pool=200, dev=10, test=10).load().pool])
    require_words(TargetModel(name="x", source="some/hub-model"), ["Integrate."])
