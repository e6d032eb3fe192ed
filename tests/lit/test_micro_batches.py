"""Micro-batches, logits at supervised positions, checkpointing: what they change in a fine-tune, and what not."""

from __future__ import annotations

import pydantic
import pytest
from safetensors.torch import load_file

from sei.finetuners.supervised import Finetune
from sei.lit.batches import TokenBudget, collate, micro_batches
from sei.lit.module import LitCausalLM
from sei.lit.trainer import TrainerSettings
from sei.records import StepLog
from sei.store import digest
from tests.builders import TINY, lessons
from tests.lit.fits import TWO, fit

ONE = TrainerSettings()
FEW = {"schedule": TokenBudget(steps=4, tokens_per_step=200), "resume_every": 3}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return fit(lessons(), tmp_path_factory.mktemp("whole"), ONE, **FEW)


def apart(a, b) -> float:
    """Return the largest difference between two trained models' weights."""
    x, y = (load_file(f"{t.checkpoint.folder}/model.safetensors") for t in (a, b))
    return max(float((v - y[k]).abs().max()) for k, v in x.items())


def test_parts_have_all_rows_and_no_needless_padding():
    batch = collate([((1,), (2,)), ((1, 2, 3), (4,)), ((5,), (6, 7))], pad=0)
    parts = micro_batches(batch, 2)
    assert [p["input_ids"].tolist() for p in parts] == [[[1, 2, 0, 0], [1, 2, 3, 4]], [[5, 6, 7]]]
    assert [p["labels"].tolist() for p in parts] == [[[-100, 2, -100, -100], [-100, -100, -100, 4]], [[-100, 6, 7]]]
    assert micro_batches(batch, 0) == micro_batches(batch, 3) == [batch]


@pytest.mark.parametrize("more", [{"micro_batch": 3}, {"supervised_logits": True}], ids=str)
def test_a_change_by_rounding_only(whole, tmp_path, more):
    found = fit(lessons(), tmp_path, ONE, **FEW, **more)
    assert [(s.step, s.tokens) for s in found.curve] == [(s.step, s.tokens) for s in whole.curve]
    assert [s.loss for s in found.curve] == pytest.approx([s.loss for s in whole.curve], abs=2e-4)
    moved = apart(whole, fit(lessons(), tmp_path / "base", ONE, **{**FEW, "lr": 1e-12}))
    assert 0 < apart(whole, found) < 0.05 * moved


def test_checkpointing_gives_the_same_weights_also_with_dropout(tmp_path):
    settings = {**FEW, "method": "lora", "lora_dropout": 0.2}
    plain, saving = (
        fit(lessons(), tmp_path / str(x), ONE, **settings, gradient_checkpointing=x) for x in (False, True)
    )
    assert (plain.checkpoint.digest, plain.curve) == (saving.checkpoint.digest, saving.curve)


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"supervised_logits": True, "gradient_checkpointing": True}], ids=str)
def test_micro_batches_on_two_devices_train_as_on_one(whole, tmp_path, more):
    found = fit(lessons(), tmp_path, TWO, **FEW, micro_batch=2, **more)
    assert [(s.step, s.tokens) for s in found.curve] == [(s.step, s.tokens) for s in whole.curve]
    assert [s.loss for s in found.curve] == pytest.approx([s.loss for s in whole.curve], abs=2e-4)
    moved = apart(whole, fit(lessons(), tmp_path / "base", ONE, **{**FEW, "lr": 1e-12}))
    assert 0 < apart(whole, found) < 0.05 * moved
    assert all(s.throughput is not None and s.throughput.tokens_per_second > 0 for s in found.curve)


@pytest.mark.slow
def test_micro_batches_resume_exactly_with_dropout(tmp_path, monkeypatch):
    settings = {**FEW, "method": "lora", "lora_dropout": 0.2, "micro_batch": 3}
    undisturbed = fit(lessons(), tmp_path / "a", ONE, **settings)

    def stop(self, *args):
        if len(self.curve) == 3:
            raise SystemExit(9)
        return step(self, *args)

    step = LitCausalLM.training_step
    with monkeypatch.context() as m:
        m.setattr(LitCausalLM, "training_step", stop)
        with pytest.raises(SystemExit):
            fit(lessons(), tmp_path / "b", ONE, **settings)
    assert list((tmp_path / "b" / "resume").glob("*.ckpt"))
    again = fit(lessons(), tmp_path / "b", ONE, **settings)
    assert (again.checkpoint.digest, again.curve) == (undisturbed.checkpoint.digest, undisturbed.curve)
    assert all(s.throughput is not None for s in again.curve)  # those before the point too


def test_the_key_has_what_changes_bits_where_it_is_set():
    def key(**more):
        return digest(Finetune(target=TINY, trainer=ONE, schedule=TokenBudget(), **more))

    plain = key()
    assert key(micro_batch=0, gradient_checkpointing=True) == plain
    assert (
        len({plain, key(micro_batch=1), key(micro_batch=2), key(supervised_logits=True), key(deterministic=False)}) == 5
    )


def test_a_step_tells_its_throughput(whole):
    found = [s.throughput for s in whole.curve]
    assert all(t is not None and t.seconds > 0 and t.tokens_per_second > 0 and 0 <= t.padding < 1 for t in found)
    assert all(t.peak_gib > 0 and t.mfu is None for t in found)
    bare = StepLog(step=1, loss=whole.curve[0].loss, tokens=whole.curve[0].tokens)
    assert bare == whole.curve[0]
    old = '{"step": 1, "loss": 0.5, "tokens": 3}'
    assert pydantic.TypeAdapter(StepLog).validate_json(old).throughput is None
