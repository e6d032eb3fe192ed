"""Every stage computes on the trainer's device, moves the weights there once, and its device is recorded."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch

from sei import devices
from sei.devices import return_memory
from sei.engines.lightning import LightningEngine
from sei.finetuners.supervised import Finetune
from sei.grading import MathGrader
from sei.lit.batches import TokenBudget
from sei.lit.trainer import TrainerSettings
from sei.models.embedder import SentenceEmbedder
from sei.records import RefineInput, TrainingExample
from sei.refiners.difficulty import Difficulty
from sei.refiners.diversity import Diversity
from sei.refiners.gradient import Gradient
from sei.refiners.one_shot_context import OneShotContext
from sei.refiners.one_shot_likelihood import OneShotLikelihood
from sei.refiners.one_shot_step import OneShotStep
from sei.refiners.perplexity import Perplexity
from sei.stages.attempt import Attempts
from sei.stages.refine import Refine
from sei.stages.synthesize import Budget
from sei.store import Store, digest
from sei.synthesizers.rejection_sampling import RejectionSampling
from tests.builders import TINY, candidate, cases, error_map, held_against, held_out, problem, refine, screen, sums
from tests.fake_gpu import NAME, FakeGPU, as_gpu

CASES = [sums(a, 5) for a in range(11, 17)]
CANDIDATES = tuple(candidate(i, sums(20 + i, 3 + i % 4)) for i in range(8))
EXAMPLES = tuple(
    TrainingExample(id=c.id, question=c.question, solution=c.solution, source="synthetic") for c in CANDIDATES
)
HELD_OUT = tuple(held_out(c.id, c.question) for c in CANDIDATES)
POOL = tuple(problem(c.id, c.question, answer=c.solution.split("#### ")[1], solution=c.solution) for c in CANDIDATES)
PLAN = TokenBudget(steps=3, tokens_per_step=60)


def parts(accelerator):
    """Return every stage that computes with a model, by name, with its arguments."""
    trainer, target = TrainerSettings(accelerator=accelerator), replace(TINY, accelerator=accelerator)
    engine = LightningEngine(trainer=trainer, batch_size=3, max_new_tokens=8)
    shown = {"engine": engine, "grader": MathGrader(), "bad": 3, "good": 0, "target": target}
    refiners = {
        "step": OneShotStep(target=target),
        "step lora": OneShotStep(target=target, weights="lora"),
        "gradient": Gradient(target=target),
        "perplexity": Perplexity(target=target),
        "difficulty": Difficulty(target=target),
        "likelihood": OneShotLikelihood(target=target, bad=3, good=0),
        "context": OneShotContext(**shown),
        "context of the engine": OneShotContext(**shown, reuse_prefix=False),
    }
    fits = {
        "full": Finetune(target=target, trainer=trainer, schedule=PLAN),
        "lora": Finetune(target=target, trainer=trainer, schedule=PLAN, method="lora"),
    }
    given = RefineInput(checkpoint=TINY.base(), error_map=held_against(*CASES), candidates=CANDIDATES)
    calls = {name: (Refine(scorer=s, keep=0.3), (given,)) for name, s in refiners.items()}
    calls |= {name: (stage, (TINY.base(), EXAMPLES)) for name, stage in fits.items()}
    budget = Budget(candidates=4)
    longer = replace(engine, max_new_tokens=24)
    sampler = RejectionSampling(target=target, engine=longer, grader=MathGrader(), budget=budget, samples=2)
    calls["rejection sampling"] = (sampler, (error_map(cases(POOL[:4]), cases(POOL[4:])), POOL, screen(), 1))
    return calls


@pytest.fixture
def gpu(monkeypatch, request):
    as_gpu(monkeypatch, request)
    with FakeGPU() as fake:
        yield fake


# each shares its code with a name that stays
_SLOW = ("step lora", "gradient", "rejection sampling", "context of the engine")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in _SLOW else ()) for n in parts("cpu")])
def test_a_stage_computes_on_the_trainers_device_alone(tmp_path, gpu, name):
    stage, inputs = parts("gpu")[name]
    store = Store(root=tmp_path)
    offered = {"checkpoint": TINY.base(), "replay": POOL} if name == "rejection sampling" else {}
    store.once(stage, *inputs, seed=1, **offered)
    assert gpu.matmuls[NAME] > 20
    assert gpu.matmuls["cpu"] == 0
    assert [u.device for u in store.uses] == [NAME]
    assert gpu.carried <= 1.5 * weights()  # plus the batches


def weights():
    with TINY.open(TINY.base()) as opened:
        return sum(p.numel() for p in opened.model.parameters())


def test_attempts_carry_the_weights_once_for_all_batches(tmp_path, gpu):
    trainer, target = TrainerSettings(accelerator="gpu"), replace(TINY, accelerator="gpu")
    stage = Attempts(target=target, engine=LightningEngine(trainer=trainer, batch_size=2, max_new_tokens=8))
    store = Store(root=tmp_path)
    rows = store.each(stage, TINY.base(), items=HELD_OUT)
    assert gpu.matmuls[NAME] > 20
    assert gpu.matmuls["cpu"] == 0
    assert gpu.carried <= 1.5 * weights()
    again = Store(root=tmp_path)
    assert again.each(stage, TINY.base(), items=HELD_OUT) == rows
    assert [u.device for u in (*store.uses, *again.uses)] == [NAME, NAME]  # a reused row says where it was made


def test_answers_and_scores_are_those_of_the_cpu(tmp_path, monkeypatch, request):
    here = {n: stage(*inputs, seed=1) for n, (stage, inputs) in parts("cpu").items() if n in ("context", "likelihood")}
    as_gpu(monkeypatch, request)
    with FakeGPU():
        there = {n: parts("gpu")[n][0](*parts("gpu")[n][1], seed=1) for n in here}
    assert here["context"] == there["context"]
    assert [s.score for s in there["likelihood"].scored] == pytest.approx(
        [s.score for s in here["likelihood"].scored], abs=1e-4
    )


@pytest.mark.parametrize("device", ["auto", "gpu"])
def test_the_embedder_is_loaded_onto_its_device(monkeypatch, request, device):
    from sentence_transformers import SentenceTransformer

    def encode(self, texts, **_):
        assert {p.device.type for p in self.parameters()} == {NAME}
        return np.full((len(texts), 2), 0.5**0.5, np.float32)

    as_gpu(monkeypatch, request)
    monkeypatch.setattr(SentenceTransformer, "encode", encode)
    with FakeGPU(), devices.noting() as noted:
        refine(
            Diversity(embedder=SentenceEmbedder(device=device)), TINY.base(), held_against(*CASES), CANDIDATES, seed=1
        )
    assert noted == {NAME}


def test_the_type_of_device_is_in_the_key_and_a_cpus_keys_stay(monkeypatch):
    named = [digest(p) for p in (TINY, TrainerSettings(), SentenceEmbedder())]
    away = [replace(TINY, accelerator="auto"), TrainerSettings(accelerator="auto"), SentenceEmbedder(device="cpu")]
    assert digest(away[0]) == named[0]
    assert digest(away[2]) == named[2]
    before = digest(away[1])
    monkeypatch.setattr(devices, "sees_gpu", lambda: True)
    assert digest(away[0]) != named[0]
    assert digest(away[1]) != before
    assert digest(SentenceEmbedder()) != named[2]
    assert digest(replace(TINY, accelerator="gpu")) == digest(away[0])


def test_what_the_fake_device_refuses(gpu):
    there = torch.ones(2, 2).to(NAME)
    with pytest.raises(RuntimeError, match="same device"):
        there @ torch.ones(2, 2)
    assert (there @ there).tolist() == [[2.0, 2.0], [2.0, 2.0]]


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux")
def test_memory_that_a_model_needed_goes_back_to_the_system():
    def held():
        return psutil.Process().memory_info().rss / 2**20

    np.ones(3_500_000)  # freed, and the C library keeps blocks of this size from now on
    blocks = [np.ones(1_000_000) for _ in range(60)]
    small = [np.ones(4_000) for _ in range(100)]
    before = held()
    last = small[-1]  # stands above the blocks
    del blocks, small
    return_memory()
    assert held() < before - 400
    assert last.sum() == 4_000
