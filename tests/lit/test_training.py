"""Training and scoring on the real embedded model, a few steps each."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM

from sei.data.arithmetic import Arithmetic
from sei.engines.lightning import LightningEngine
from sei.errors import NumericError
from sei.finetuners.supervised import Finetune
from sei.lit.batches import Epochs, TokenBudget
from sei.lit.module import LitCausalLM
from sei.lit.one_step import OneStep, mean_losses
from sei.lit.trainer import TrainerSettings, cpu_has_bf16
from sei.opened import Sampling
from tests.builders import TINY, lessons


@pytest.fixture(scope="module")
def target():
    return TINY


@pytest.fixture(scope="module")
def examples():
    return lessons()


def finetune(target, **more):
    settings = {"schedule": TokenBudget(steps=4, tokens_per_step=200), "lr": 5e-4, **more}
    return Finetune(target=target, trainer=TrainerSettings(), **settings)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_training_lowers_the_loss_and_the_saved_folder_loads(target, examples, tmp_path, method):
    stage = finetune(target, method=method, lr=2e-3, schedule=Epochs(epochs=3, batch_size=8))
    trained = stage(target.base(), examples, seed=1, folder=tmp_path)
    assert trained.checkpoint.kind == {"full": "full", "lora": "adapter"}[method]
    assert trained.steps == len(trained.curve) == 24
    pairs = [(e.question, e.solution) for e in examples]
    with target.open(target.base()) as opened:
        before = sum(mean_losses(opened, pairs, 32))
    with target.open(trained.checkpoint) as opened:
        after = sum(mean_losses(opened, pairs, 32))
    assert after < 0.9 * before
    AutoModelForCausalLM.from_pretrained(trained.checkpoint.folder)


def test_the_same_seed_gives_the_same_weights(target, examples, tmp_path):
    """F40."""
    a = finetune(target)(target.base(), examples, seed=1, folder=tmp_path / "a")
    b = finetune(target)(target.base(), examples, seed=1, folder=tmp_path / "b")
    c = finetune(target)(target.base(), examples, seed=2, folder=tmp_path / "c")
    assert a.checkpoint.digest == b.checkpoint.digest != c.checkpoint.digest
    assert a.curve == b.curve


def test_training_stops_at_the_first_loss_that_is_not_finite(target, examples, tmp_path, monkeypatch):
    """F28."""
    monkeypatch.setattr(LitCausalLM, "_loss", lambda self, batch: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(NumericError, match=r"step 1.*lr"):
        finetune(target)(target.base(), examples, seed=1, folder=tmp_path)
    assert not (tmp_path / "model").exists()


def test_a_pair_is_prompt_then_solution_then_end_of_text(target):
    with target.open(target.base()) as opened:
        tok = opened.tokenizer
        (e,) = opened.encode([("Anna has 7 pens. How many pens?", "#### 7")])
        (unknown,) = opened.encode([("Anna has 7 zebras.", "#### 7")])
    assert [
        tok.convert_ids_to_tokens(i) for i in e.prompt
    ] == "Question : Anna has 7 pens . How many pens ? \n Answer :".split(" ")
    assert [tok.convert_ids_to_tokens(i) for i in e.completion] == ["\n", "####", "7", "</s>"]
    assert unknown.unknown
    assert not e.unknown


@pytest.mark.long
def test_one_step_scoring_puts_the_weights_back_exactly(target, examples):
    pairs = [(e.question, e.solution) for e in examples[:6]]
    with target.open(target.base()) as opened:
        before = {k: v.clone() for k, v in opened.model.state_dict().items()}
        scorer = OneStep(opened, step_size=0.1, lora=False, seed=0)
        plain = scorer.loss("v", pairs)
        after = scorer.loss_after("v", pairs, pairs[0])
        assert after != plain
        assert scorer.loss("v", pairs) == plain
        assert all(torch.equal(v, before[k]) for k, v in opened.model.state_dict().items())


@pytest.mark.long
def test_a_step_on_a_sample_lowers_its_own_loss(target, examples):
    pair = (examples[0].question, examples[0].solution)
    with target.open(target.base()) as opened:
        scorer = OneStep(opened, step_size=0.05, lora=False, seed=0)
        assert scorer.loss_after("self", [pair], pair) < scorer.loss("self", [pair])


def test_an_interrupted_generation_goes_on_to_the_same_answers(target):
    questions = [p.question for p in Arithmetic(pool=30, dev=10, test=10).load().pool]
    engine = LightningEngine(trainer=TrainerSettings(), batch_size=8, max_new_tokens=60)
    with target.open(target.base()) as opened:
        whole = {a.at: a for a in engine.answer(opened, opened.prompts(questions), frozenset(), "x")}
        half = frozenset(list(whole)[:13])
        rest = {a.at: a for a in engine.answer(opened, opened.prompts(questions), half, "x")}
    assert set(whole) == set(range(30))
    assert set(range(30)) - half <= set(rest)
    assert all(whole[i] == a for i, a in rest.items())


def test_sampled_answers_differ_and_are_the_same_again(target):
    """Sampled answers differ, are the same again, and leave greedy ones and the random state alone."""
    questions = [p.question for p in Arithmetic(pool=20, dev=10, test=10).load().pool[:6] for _ in range(4)]
    engine = LightningEngine(trainer=TrainerSettings(), batch_size=8, max_new_tokens=40)

    def run(opened, done=frozenset(), sampling=None):
        return {a.at: a.text for a in engine.answer(opened, opened.prompts(questions), done, "x", sampling)}

    with target.open(target.base()) as opened:
        torch.manual_seed(3)
        greedy = run(opened)
        after_greedy = torch.get_rng_state()  # the loaders of both draw a seed
        torch.manual_seed(3)
        drawn = run(opened, sampling=Sampling(1.0, 5))
        assert torch.equal(torch.get_rng_state(), after_greedy)
        again, other = run(opened, sampling=Sampling(1.0, 5)), run(opened, sampling=Sampling(1.0, 6))
        part = run(opened, frozenset(list(drawn)[:8]), Sampling(1.0, 5))
        assert run(opened) == greedy
    assert drawn == again != other
    assert all(part[i] == drawn[i] for i in part)
    assert len(part) == 16
    assert len(set(greedy.values())) <= 6 < len(set(drawn.values()))


def test_the_length_cap_marks_an_answer_unfinished(target):
    engine = LightningEngine(trainer=TrainerSettings(), max_new_tokens=3)
    with target.open(target.base()) as opened:
        (a,) = engine.answer(
            opened, opened.prompts(["Anna has 7 pens. Anna has 3 more pens. How many pens?"]), frozenset(), "x"
        )
    assert not a.finished


@pytest.mark.parametrize(
    ("precision", "has", "warned"), [("bf16-true", False, 1), ("bf16-true", True, 0), ("32-true", False, 0)]
)
def test_a_precision_that_is_only_emulated_is_pointed_out(monkeypatch, caplog, precision, has, warned):
    monkeypatch.setattr("sei.lit.trainer.cpu_has_bf16", lambda: has)
    TrainerSettings(precision=precision).preflight()
    assert len(caplog.records) == warned
    assert all("32-true" in r.getMessage() for r in caplog.records)


def test_the_processor_is_asked_for_its_bf16_instructions():
    assert cpu_has_bf16() in (True, False)


def test_pairs_that_are_too_long_or_unknown_are_left_out(target, examples, tmp_path):
    """F32: the number of those that remain is reported."""
    strange = replace(examples[0], id="strange", question="Which zygote has 3 pens?")
    long = replace(examples[1], id="long", question=" ".join([examples[1].question] * 12))
    with target.open(target.base()) as opened:
        (e,) = opened.encode([(examples[0].question, examples[0].solution)])
    most = max(32, 3 * len(e.prompt))
    stage = finetune(target, schedule=TokenBudget(steps=1, tokens_per_step=50), max_length=most)
    trained = stage(target.base(), (*examples[:3], strange, long), seed=1, folder=tmp_path)
    assert trained.examples == 3


def test_the_loss_of_a_pair_does_not_depend_on_its_batch(target, examples):
    """F32: padded and never packed, so no pair sees another."""
    pairs = sorted(((x.question, x.solution) for x in examples[:8]), key=lambda p: len(p[0]))
    with target.open(target.base()) as opened:
        assert len({len(e.prompt) for e in opened.encode(pairs)}) > 1
        assert mean_losses(opened, pairs, 8) == pytest.approx(mean_losses(opened, pairs, 1), abs=1e-5)
