"""GRPO: early refusals, rewards, and a real fit of two steps if TRL is installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from huggingface_hub import constants
from pydantic import ValidationError

from sei.errors import ConfigError, NumericError, TooManyBadRecordsError
from sei.exchange import Outcome
from sei.finetuners.grpo import GRPO, Groups, _quiet, prompts_for_trl
from sei.finetuners.rewards import Rewards, problem_of, reward
from sei.finetuners.supervised import Finetune
from sei.grading import MathGrader
from sei.lit.batches import TokenBudget
from sei.lit.trainer import TrainerSettings
from sei.parts import part
from sei.records import Problem, TrainingExample
from tests.builders import TINY, lessons
from tests.compose import built

needs_trl = pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="needs pip install 'sei[trl]'")


def grpo(steps=2, prompts=4, samples=4, **more):
    settings = {"grader": MathGrader(), "lr": 1e-3, "max_new_tokens": 60, "trainer": TrainerSettings(), **more}
    return GRPO(target=TINY, schedule=Groups(steps=steps, prompts_per_step=prompts, samples=samples), **settings)


@pytest.fixture(scope="module")
def examples():
    return lessons()


@part
class Failing:
    """Fails on an answer that asks for it, otherwise returns the verdict that the answer names."""

    version: ClassVar[int] = 1

    def grade(self, problem, output, *, finished=True):
        verdict = output if output in ("right", "wrong") else "unreadable"
        return Outcome(verdict=verdict, strict_verdict=verdict, extracted="", fault="x" if output == "fault" else "")

    def check_gold(self, problems):
        return []


class Words:
    """A tokenizer that knows a few words; 0 ends a text."""

    eos_token_id = 0
    WORDS = ("", "right", "wrong", "nonsense", "fault")

    def decode(self, ids, skip_special_tokens):
        return " ".join(self.WORDS[i] for i in ids)


def rewards(**more):
    opened = SimpleNamespace(tokenizer=Words(), model=None)
    problems = [Problem(id=str(i), question="q", answer="1") for i in range(2)]
    return Rewards(grader=Failing(), problems=problems, opened=opened, **more)


# ---- without TRL


def test_the_config_builds_and_experiments_set_its_steps():
    stage = built("finetuner=grpo", "experiment=smoke", "engine.max_new_tokens=50")["method"].finetune
    assert isinstance(stage, GRPO)
    assert (stage.schedule.steps, stage.max_new_tokens) == (10, 50)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("finetuner.schedule.samples=1", ["samples", "greater than or equal to 2"]),
        ("finetuner.schedule.steps=0", ["steps", "0"]),
        ("finetuner.temperature=0", ["temperature", "0"]),
        ("finetuner.beta=-1", ["beta", "-1"]),
        ("finetuner.method=qlora", ["method", "qlora", "'full' or 'lora'"]),
        ("+finetuner.gamma=1", ["gamma"]),
        ("finetuner.micro_batch=3", ["micro_batch=3", "128", "divisor"]),
        ("trainer=ddp", ["trainer.devices=2", "one device"]),
    ],
)
def test_what_cannot_run_is_refused_when_it_is_built(override, words):
    with pytest.raises(ConfigError) as e:
        built("finetuner=grpo", override)
    assert all(w in str(e.value) for w in words)


def test_wrong_types_are_refused():
    with pytest.raises(ValidationError):
        grpo(grader="math")


def test_a_machine_without_trl_or_an_old_one_is_told_early(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(ConfigError, match=r"finetuner=grpo needs the trl package.*pip install 'sei\[trl\]'"):
            grpo().preflight()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.24.1")
    with pytest.raises(ConfigError, match=r"trl 1\.16 or newer; 0\.24\.1.*Remedy"):
        grpo().preflight()


def test_several_visible_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.16.0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    grpo().preflight()
    with pytest.raises(ConfigError, match=r"2 GPUs are visible.*CUDA_VISIBLE_DEVICES=0"):
        grpo(trainer=TrainerSettings(accelerator="gpu")).preflight()


def test_the_libraries_report_no_use_over_the_network(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    with _quiet():
        assert constants.HF_HUB_DISABLE_TELEMETRY
    assert not constants.HF_HUB_DISABLE_TELEMETRY


def test_right_is_one_all_else_zero_and_a_fault_is_nothing():
    problem, grader = Problem(id="a", question="How many?", answer="7"), MathGrader()
    assert reward(grader.grade(problem, "3 + 4 = 7\n#### 7")) == 1.0
    assert reward(grader.grade(problem, "#### 8")) == 0.0
    assert reward(grader.grade(problem, "I cannot say.")) == 0.0
    assert reward(Outcome(verdict="wrong", strict_verdict="wrong", extracted="", fault="killed")) is None


def test_the_curve_is_the_share_of_graded_answers_not_right():
    told = rewards()
    assert told.of(completion_ids=[[1, 0], [2, 0], [3], [4, 0]], at=[0, 0, 1, 1]) == [1.0, 0.0, 0.0, None]
    told.step({"loss": 0.0, "grad_norm": 1.0})
    told.of(completion_ids=[[1, 0]], at=[0])
    told.step({"loss": 0.0})
    assert [(s.step, s.loss, s.tokens) for s in told.curve] == [(1, 0.666667, 7), (2, 0.0, 2)]


def test_an_answer_is_read_up_to_its_first_end():
    """An answer is read up to its first end, and one without an end is cut off."""
    told = rewards()
    assert told._text([1, 2, 0, 3, 0]) == ("right wrong", True)
    assert told._text([1, 2]) == ("right wrong", False)


def test_steps_that_teach_nothing_or_are_not_finite_end_the_fit():
    told = rewards()
    told.of(completion_ids=[[4, 0], [4, 0]], at=[0, 1])
    with pytest.raises(TooManyBadRecordsError, match=r"every sampled answer of step 1.*Remedy"):
        told.step({"loss": 0.0})
    with pytest.raises(NumericError, match=r"grad_norm is nan at step 1.*finetuner\.lr"):
        told.step({"loss": 0.0, "grad_norm": float("nan")})


def test_the_gold_answer_is_what_the_reference_solution_states():
    def answer(solution):
        return problem_of(TrainingExample(id="a", question="q", solution=solution, source="x")).answer

    assert answer("2 + 2 = <<2+2=4>>4\n#### 4") == "4"
    assert answer(r"So it is \boxed{\frac{1}{2}}.") == r"\frac{1}{2}"
    assert answer("The answer is 12.") == "12"
    assert answer("") == ""


def test_questions_come_once_with_an_accepted_answer(examples):
    """Questions come once with an answer that the grader accepts and within the length."""
    bad = (
        TrainingExample(id="again", question=examples[0].question, solution="#### 1", source="x"),
        TrainingExample(id="silent", question="Anna has 7 pens.", solution="", source="x"),
        TrainingExample(id="unknown", question="Anna has 7 zebras.", solution="#### 7", source="x"),
        TrainingExample(id="long", question="Anna has 7 pens. " * 40, solution="#### 7", source="x"),
    )
    with TINY.open(TINY.base()) as opened:
        kept = grpo(max_length=150)._problems(opened, examples[:6] + bad)
        assert [p.id for p in kept] == [e.id for e in examples[:6]]
        with pytest.raises(ConfigError, match=r"3 of 7 training examples.*prompts_per_step=4.*Remedy"):
            grpo(max_length=150)._problems(opened, examples[:3] + bad)


def test_a_chat_template_does_not_begin_a_text_twice():
    class Bos:
        bos_token = "<s>"

        def __call__(self, texts, add_special_tokens=True):
            return {"input_ids": [[1] * add_special_tokens + [1] * t.count("<s>") + [len(t)] for t in texts]}

    def opened(template, text):
        return SimpleNamespace(template=template, tokenizer=Bos(), prompts=lambda questions: [text for _ in questions])

    assert prompts_for_trl(opened("plain", "hello"), ["q"]) == ["hello"]
    Bos.__call__ = lambda self, texts, add_special_tokens=True: {
        "input_ids": [[1] * add_special_tokens + [1] * t.count("<s>") + [2] for t in texts]
    }
    assert prompts_for_trl(opened("chat", "<s>hello"), ["q"]) == ["hello"]
    with pytest.raises(ConfigError, match="special tokens"):
        prompts_for_trl(opened("chat", "hello"), ["q"])


# ---- with TRL


@pytest.mark.extra
@needs_trl
def test_warm_up_pairs_are_refused(examples, tmp_path):
    pairs = tuple(
        TrainingExample(id=e.id, question=e.question, solution=e.solution, source="warm_up") for e in examples
    )
    with pytest.raises(ConfigError, match=r"cannot teach a format.*data\.warm_up=0"):
        grpo()(TINY.base(), pairs, seed=0, folder=tmp_path)


@pytest.mark.extra
@needs_trl
def test_two_steps_change_the_weights_the_same_by_seed(examples, tmp_path, capfd):
    (tmp_path / "a" / "model").mkdir(parents=True)
    (tmp_path / "a" / "model" / "half").write_text("made before a crash")
    a = grpo()(TINY.base(), examples, seed=1, folder=tmp_path / "a")
    b = grpo()(TINY.base(), examples, seed=1, folder=tmp_path / "b")
    c = grpo()(TINY.base(), examples, seed=2, folder=tmp_path / "c")
    assert a.checkpoint.digest == b.checkpoint.digest != c.checkpoint.digest
    assert (a.curve, a.checkpoint.kind, a.steps, a.examples) == (b.curve, "full", 2, 60)
    assert all(0 <= s.loss <= 1 and 16 <= s.tokens <= 16 * 60 for s in a.curve)
    assert a.tokens == sum(s.tokens for s in a.curve)
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["model"]
    assert capfd.readouterr() == ("", "")  # the libraries print nothing
    with TINY.open(TINY.base()) as opened:
        base = {k: v.clone() for k, v in opened.model.state_dict().items()}
    with TINY.open(a.checkpoint) as opened:
        assert any(not torch.equal(v, base[k]) for k, v in opened.model.state_dict().items())
    plain = Finetune(target=TINY, trainer=TrainerSettings(), schedule=TokenBudget(steps=1, tokens_per_step=50))
    d = plain(TINY.base(), examples, seed=1, folder=tmp_path / "d")
    for name in ("config.json", "generation_config.json"):  # nothing of TRL's is left in a checkpoint
        mine, usual = (json.loads((tmp_path / x / "model" / name).read_text()) for x in "ad")
        assert mine == usual
    assert {p.name for p in (tmp_path / "a" / "model").iterdir()} == {
        p.name for p in (tmp_path / "d" / "model").iterdir()
    }
    assert d.checkpoint.digest != a.checkpoint.digest


@pytest.mark.extra
@needs_trl
@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*")  # from peft's own code, when the test opens a LoRA
def test_a_lora_is_merged_and_trained_on_in_the_same_adapter(examples, tmp_path):
    stage = grpo(method="lora", micro_batch=8)
    first = stage(TINY.base(), examples, seed=0, folder=tmp_path / "1").checkpoint
    second = stage(first, examples, seed=1, folder=tmp_path / "2").checkpoint
    assert first.kind == second.kind == "adapter"
    assert first.onto == second.onto == TINY.base()
    assert sorted(p.name for p in (tmp_path / "2").iterdir()) == ["adapter", "model"]
    assert not (tmp_path / "2" / "adapter" / "ref").exists()
    with TINY.open(second) as opened:
        merged = {k: v.clone() for k, v in opened.model.state_dict().items()}
    with TINY.open(second, keep_adapter=True) as opened:
        apart = opened.model.merge_and_unload().state_dict()
    assert all(torch.allclose(v, apart[k], atol=1e-6) for k, v in merged.items())


@pytest.mark.extra
@needs_trl
def test_an_answer_that_the_grader_failed_on_moves_nothing(examples, tmp_path):
    """If all other answers of a group are equal, a fault must not create a difference; a reward of 0 would."""

    @part
    class Once(MathGrader):
        version: ClassVar[int] = 1

        def grade(self, problem, output, *, finished=True):
            calls.append(output)
            fault = "killed" if len(calls) % 4 == 0 else ""
            return Outcome(verdict="right", strict_verdict="right", extracted="", fault=fault)

        def check_gold(self, problems):
            return []

    calls: list[str] = []
    trained = grpo(steps=1, grader=Once(), beta=0.0)(TINY.base(), examples, seed=0, folder=tmp_path)
    assert len(calls) == 16
    assert trained.curve[0].loss == 0.0
    with TINY.open(TINY.base()) as opened:
        base = {k: v.clone() for k, v in opened.model.state_dict().items()}
    with TINY.open(trained.checkpoint) as opened:
        assert all(torch.equal(v, base[k]) for k, v in opened.model.state_dict().items())


@pytest.mark.extra
@needs_trl
@pytest.mark.slow
def test_a_round_with_grpo_leaves_a_summary(sei):
    done = sei(
        "experiment=smoke", "finetuner=grpo", "finetuner.schedule.steps=3", "refiner=none", "tracker=none", timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads((sei.last_run() / "summary.json").read_text())
    (first,) = summary["rounds"]
    assert first["trained_tokens"] > 0
    assert first["scores"]["arithmetic_test"]["n"] == 60
