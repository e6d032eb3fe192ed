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
    monkeypatch.setattr(shape, "parameters", lambda _: (8_000_000_000, 40_000_000))
    bench = rates.Bench(toy=False)
    each = 4 * 7_960_000_000 + 6 * 40_000_000 + 6 * 32 * 4096 * 512
    assert bench.mfu(10_000, None, 512) == pytest.approx(each * 10_000 / 989e12, abs=5e-4)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "another")
    assert bench.mfu(10_000, None, 512) is None
