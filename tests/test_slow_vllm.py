"""``engine=openai_server`` and the instructor with the real vLLM for CPUs: ``make slow``; prints numbers."""

from __future__ import annotations

import gzip
import json
import signal
import time

import psutil
import pytest

from sei.data.mawps import Mawps
from sei.engines import server
from sei.engines.lightning import LightningEngine
from sei.engines.openai_server import ServedEngine
from sei.errors import ConfigError, SeiError
from sei.finetuners.supervised import Finetune
from sei.grading import MathGrader
from sei.lit.batches import TokenBudget
from sei.lit.trainer import TrainerSettings
from sei.models.target import TargetModel
from sei.opened import Sampling
from sei.prompts import asked
from sei.records import Checkpoint
from tests.models import real_vllm
from tests.vllm_server import SERVE, smollm2, vllm

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
__all__ = ["smollm2", "vllm"]  # fixtures


@pytest.fixture
def target(smollm2) -> TargetModel:
    return TargetModel(name="smollm2", source=str(smollm2), template="chat")


@pytest.fixture
def questions(shared_data) -> list[str]:
    with gzip.open(shared_data / "gsm8k" / "main" / "test.jsonl.gz", "rt") as f:
        return [json.loads(next(f))["question"] for _ in range(40)]


def engine(vllm: str, flags: str = real_vllm.FLAGS, **more) -> ServedEngine:
    settings = {"max_new_tokens": 60, "startup": 1500.0} | more
    return ServedEngine(command=f"{vllm} {SERVE} {flags}", **settings)


def texts_of(engine, target, questions, sampling=None):
    with engine.open(target, target.base()) as opened:
        return list(engine.answer(opened, opened.prompts(questions), frozenset(), "x", sampling))


def test_greedy_answers_are_those_of_this_process(vllm, target, questions):
    """Greedy answers equal those of this process, whatever the base's decoding settings."""
    served_by = engine(vllm)
    there = {a.at: (a.text, a.finished) for a in texts_of(served_by, target, questions)}
    first, again, other = (
        [a.text for a in texts_of(served_by, target, questions[:4] * 2, Sampling(1.0, seed))] for seed in (1, 1, 5000)
    )
    assert first == again  # every prompt has its own seed
    assert first != other
    assert sum(a != b for a, b in zip(first[:4], first[4:], strict=True)) >= 3  # the base's top_k=1 is not used
    here_by = LightningEngine(trainer=TrainerSettings(), batch_size=8, max_new_tokens=60)
    here = {a.at: (a.text, a.finished) for a in texts_of(here_by, target, questions)}
    differ = [(here[i], there[i]) for i in here if here[i] != there[i]]
    print(f"{len(here) - len(differ)} of {len(here)} greedy answers equal")
    for pair in differ:
        print(pair)
    assert len(differ) <= 0.02 * len(here)


@pytest.fixture(scope="module")
def words(shared_data):
    """Return pairs to train on, and 40 held-out problems."""
    data = Mawps(folder=str(shared_data), warm_up=60, pool=20, dev=20, test=20, svamp=0, gsm8k=0).load()
    return data.warm_up, data.held_out


@pytest.fixture(scope="module")
def checkpoints(smollm2, words, tmp_path_factory) -> list[Checkpoint]:
    """Return two adapters, the second of which goes on from the first, and one with another rank."""
    target = TargetModel(name="smollm2", source=str(smollm2), template="chat")
    made = [target.base()]
    for seed, (start, rank) in enumerate([(0, 16), (1, 16), (0, 8)]):
        tune = Finetune(
            target=target,
            trainer=TrainerSettings(),
            schedule=TokenBudget(steps=5, tokens_per_step=60),
            method="lora",
            lr=2e-3,
            lora_r=rank,
            lora_targets="all-linear",
        )
        made.append(tune(made[start], words[0], seed=seed, folder=tmp_path_factory.mktemp("lora")).checkpoint)
    assert [c.onto for c in made[1:]] == [made[0]] * 3
    return made[1:]


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # of peft
def test_one_server_answers_with_three_adapters(vllm, target, words, checkpoints):
    """At least 98 % of the verdicts are those of merged weights in this process; each difference is printed."""
    grader, problems, starts = MathGrader(), words[1], set()
    served_by = engine(vllm, finetunes="lora", stop=["\n\n"])
    here_by = LightningEngine(trainer=TrainerSettings(), batch_size=16, max_new_tokens=60, stop=["\n\n"])
    found: list[dict[str, list]] = []
    for at, checkpoint in enumerate(checkpoints):
        row = {}
        for name, e in (("vllm", served_by), ("here", here_by)):
            began, used = time.monotonic(), time.process_time()
            with e.open(target, checkpoint) as opened:
                ready = time.monotonic() - began
                texts = opened.prompts([asked(p.question, p.options) for p in problems])
                answers = sorted(e.answer(opened, texts, frozenset(), "x"))
            if name == "vllm":
                starts.add(server._running.process.pid)
            row[name] = [(a.text, a.finished) for a in answers]
            took = time.monotonic() - began
            print(
                f"checkpoint {at}, {name}: ready {ready:.2f} s, in all {took:.1f} s, {time.process_time() - used:.1f}"
            )
        found.append(row)
    same = judged = 0
    right = [0, 0]
    for at, row in enumerate(found):
        for p, a, b in zip(problems, row["vllm"], row["here"], strict=True):
            verdicts = [grader.grade(p, x[0], finished=x[1]).verdict for x in (a, b)]
            judged, same = judged + 1, same + (verdicts[0] == verdicts[1])
            right = [n + (v == "right") for n, v in zip(right, verdicts, strict=True)]
            if a != b:
                print(at, p.id, verdicts, a, b)
    texts = sum(a == b for row in found for a, b in zip(row["vllm"], row["here"], strict=True))
    print(f"{same} of {judged} verdicts and {texts} texts equal, right: {right}")
    assert len(starts) == 1
    assert same >= 0.98 * judged
    assert len({str(row["vllm"]) for row in found}) == 3  # three adapters, not one


def test_prompts_that_the_window_would_cut_are_refused(vllm, target, questions):
    with pytest.raises(ConfigError, match=r"window of 1024.*--max-model-len"):
        texts_of(engine(vllm, max_new_tokens=1000), target, questions)


def test_an_engine_that_dies_in_mid_run_is_noticed(vllm, target, questions):
    died = engine(vllm, max_new_tokens=400, batch_size=4)
    with died.open(target, target.base()) as opened:
        answers = died.answer(opened, opened.prompts(questions * 3), frozenset(), "x")
        next(answers)
        children = psutil.Process(server._running.process.pid).children(recursive=True)
        (core,) = [c for c in children if "EngineCore" in " ".join(c.cmdline()) or "EngineCore" in c.name()]
        killed = time.monotonic()
        core.send_signal(signal.SIGKILL)
        with pytest.raises(SeiError, match="the model server ended") as e:
            list(answers)
    seconds = time.monotonic() - killed
    print(f"noticed after {seconds:.1f} s: {e.value}")
    assert seconds < 60
    assert not [p for p in psutil.process_iter(["cmdline"]) if "vllm serve" in " ".join(p.info["cmdline"] or [])]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (real_vllm.FLAGS.replace("1024", "99999"), r"max_model_len \(99999\)(.|\n)*Remedy: the window is longer "),
        (real_vllm.FLAGS, r"starting: ValueError: Available memory(.|\n)*Remedy: the memory share"),
        ("--no-such-flag", r"starting: vllm\S*: error: unrecognized arguments: --no-such-flag"),
    ],
    ids=["window", "memory", "flag"],
)
def test_a_failed_start_names_its_cause_first(vllm, target, flags, words, monkeypatch):
    if "Available memory" in words:
        monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "3000")  # GiB
    with pytest.raises(ConfigError, match=words) as e, engine(vllm, flags).open(target, target.base()):
        pass
    print(e.value)
    assert len(str(e.value).splitlines()) <= 4
