"""benchmarks/gpu: the rehearsal on a CPU measures, a measurement that fails is told, and MFU counts what it says."""

from __future__ import annotations

from argparse import Namespace

import pytest
import torch

from benchmarks.gpu import rates, shape


def toy(*only: str) -> Namespace:
    return Namespace(toy=True, only=list(only))


@pytest.mark.long
def test_the_rehearsal_measures_every_rate_it_names():
    rows = rates.measure(toy("generation", "refinement"))["rows"]
    assert [r.get("tokens/s", r.get("candidates/s")) > 0 for r in rows] == [True] * 6
    assert {r["measured"].split(",")[0] for r in rows} == {
        *("greedy", "refiner=one_shot_step", "refiner=gradient"),
    }


def test_a_measurement_that_fails_is_told_and_harms_no_other(monkeypatch, capsys):
    def missing(_):
        raise ModuleNotFoundError("No module named 'trl'")

    monkeypatch.setitem(rates.MEASURED, "trl", missing)
    monkeypatch.setitem(rates.MEASURED, "after", lambda _: [{"measured": "after", "tokens/s": 1}])
    rows = rates.measure(toy("trl", "after"))["rows"]
    assert rows == [
        {"measured": "trl", "note": "ModuleNotFoundError: No module named 'trl'"},
        {"measured": "after", "tokens/s": 1},
    ]


def test_mfu_counts_four_operations_a_frozen_weight(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H100 80GB HBM3")
    model = shape.opened(shape.TOY, "cpu").weights.requires_grad_(False)
    model.lm_head.weight.requires_grad_(True)
    total, trained = shape.parameters(model)
    bench = rates.Bench(toy=False)
    each = 4 * (total - trained) + 6 * trained + 6 * 2 * 64 * 512
    assert bench.mfu(1e9, model, 512) == pytest.approx(each * 1e9 / 989e12, abs=5e-4)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "another")
    assert bench.mfu(1e9, model, 512) is None
