"""An interrupted fit ends with the weights of an undisturbed one."""

from __future__ import annotations

import logging

import pytest

from sei.finetuners.supervised import Finetune
from sei.lit.batches import TokenBudget
from sei.lit.module import LitCausalLM
from sei.lit.trainer import TrainerSettings
from tests.builders import TINY, lessons


def fit(folder, method: str, every: int = 3):
    stage = Finetune(
        target=TINY,
        trainer=TrainerSettings(),
        schedule=TokenBudget(steps=8, tokens_per_step=200),
        method=method,
        lr=2e-3,
        lora_dropout=0.2,
        resume_every=every,
    )
    return stage(TINY.base(), lessons(), seed=1, folder=folder)


@pytest.fixture(scope="module", params=["lora", "full"])
def undisturbed(request, tmp_path_factory):
    return request.param, fit(tmp_path_factory.mktemp("whole"), request.param, every=100)


def stopped_at(monkeypatch, step: int, folder, method: str) -> None:
    original = LitCausalLM.training_step

    def stop(self, batch, index):
        if len(self.curve) == step:
            raise SystemExit(9)
        return original(self, batch, index)

    with monkeypatch.context() as m:
        m.setattr(LitCausalLM, "training_step", stop)
        with pytest.raises(SystemExit):
            fit(folder, method)


def resumed(monkeypatch, folder, method: str, every: int = 3):
    """Run to the end, counting the steps."""
    original, taken = LitCausalLM.training_step, []

    def count(self, batch, index):
        taken.append(index)
        return original(self, batch, index)

    with monkeypatch.context() as m:
        m.setattr(LitCausalLM, "training_step", count)
        return fit(folder, method, every), len(taken)


@pytest.mark.parametrize(
    ("step", "left"),
    [pytest.param(1, 8, marks=pytest.mark.slow), (3, 5), pytest.param(5, 5, marks=pytest.mark.slow), (7, 2)],
)
def test_resume_is_exact_with_dropout_at_any_step(undisturbed, monkeypatch, tmp_path, step, left):
    method, whole = undisturbed
    stopped_at(monkeypatch, step, tmp_path, method)
    again, taken = resumed(monkeypatch, tmp_path, method)
    assert (again.checkpoint.digest, again.curve) == (whole.checkpoint.digest, whole.curve)
    assert taken == left
    assert not (tmp_path / "resume").exists()


@pytest.mark.parametrize(("step", "every", "left"), [(7, 2, 2), (7, 100, 2), (4, 1, 5)])
def test_a_fit_goes_on_with_other_resume_points(undisturbed, monkeypatch, tmp_path, caplog, step, every, left):
    """With another ``resume_every`` after a kill, 6, 10 or 12 steps of 8 were taken and kept, in silence."""
    caplog.set_level(logging.INFO)
    method, whole = undisturbed
    stopped_at(monkeypatch, step, tmp_path, method)
    again, taken = resumed(monkeypatch, tmp_path, method, every)
    assert (again.checkpoint.digest, again.curve) == (whole.checkpoint.digest, whole.curve)
    assert taken == left
    assert "resume points stay every 3 steps" in caplog.text


def test_points_that_do_not_tell_their_interval_are_not_used(undisturbed, monkeypatch, tmp_path, caplog):
    method, whole = undisturbed
    stopped_at(monkeypatch, 7, tmp_path, method)
    (tmp_path / "resume" / "interval.json").unlink()
    again, taken = resumed(monkeypatch, tmp_path, method)
    assert again.checkpoint.digest == whole.checkpoint.digest
    assert taken == 8
    assert "does not tell its interval" in caplog.text


def test_a_truncated_resume_point_is_named_the_last_is_used(undisturbed, monkeypatch, tmp_path, caplog):
    """F29."""
    method, whole = undisturbed
    stopped_at(monkeypatch, 7, tmp_path, method)
    points = sorted((tmp_path / "resume").glob("*.ckpt"))
    assert len(points) == 2
    points[-1].write_bytes(points[-1].read_bytes()[:1000])
    with caplog.at_level(logging.WARNING):
        again, taken = resumed(monkeypatch, tmp_path, method)
    assert points[-1].name in caplog.text
    assert taken == 5
    assert again.checkpoint.digest == whole.checkpoint.digest
