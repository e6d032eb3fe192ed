"""``engine=openai_server`` against real processes and a loopback server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from sei.engines import server
from sei.engines.openai_server import ServedEngine
from sei.errors import BusyError, ConfigError, TooManyBadRecordsError
from sei.grading import MathGrader
from sei.instructors.remote.terms import StoppedError
from sei.models.target import TargetModel
from sei.opened import Sampling
from sei.records import Checkpoint, HeldOutProblem
from sei.stages.attempt import Attempts
from sei.stages.grade import Grade, scores
from sei.store import Store, digest
from tests.builders import TINY
from tests.conftest import ROOT
from tests.instructors.remote.fault_server import FaultServer, send

pytestmark = [
    pytest.mark.usefixtures("quick"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SERVER = ROOT / "tests" / "weight_server.py"
COMMAND = f"{{python}} {SERVER} {{model}} {{port}}"
PROBLEMS = tuple(
    HeldOutProblem(id=f"h{i}", question=f"Anna has {i} pens. How many pens?", answer=str(i), set="s", role="in_domain")
    for i in range(200)
)


@pytest.fixture(autouse=True)
def none_left():
    yield
    server.stop()


@pytest.fixture
def scripted():
    """A completions server that only knows how many tokens it received."""
    made = FaultServer(reply=lambda body: "")
    made.broken = set()

    def complete(h, number):
        body = made.log[number].body
        if len(body["prompt"]) in made.broken or str(body["prompt"]) in made.broken:
            return send(h, 500, b"{}")
        choice = {"text": f" #### {len(body['prompt'])} Question: more", "finish_reason": "length", "index": 0}
        usage = {"prompt_tokens": 3, "completion_tokens": 4}
        return send(h, 200, json.dumps({"model": "m", "choices": [choice], "usage": usage}).encode())

    made.faults.append(complete)
    yield made
    made.close()


def engine(url, **more):
    return ServedEngine(url=url, model="m", tries=2, timeout=5, give_up=3, **more)


def test_prompts_go_as_tokens_answers_end_at_stop_strings(scripted):
    e = engine(scripted.url, stop=["Question:"])
    with e.open(TINY, TINY.base()) as opened:
        texts = opened.prompts([p.question for p in PROBLEMS[:5]])
        found = list(e.answer(opened, texts, frozenset({2}), "x"))
        ids = opened.tokenizer(texts, add_special_tokens=True)["input_ids"]
    assert sorted(a.at for a in found) == [0, 1, 3, 4]
    assert all(a.finished and "Question" not in a.text for a in found)  # a stop string is not the length cap
    sent = sorted(s.body["prompt"] for s in scripted.log)
    assert sent == sorted(ids[i] for i in (0, 1, 3, 4))
    assert {s.body["temperature"] for s in scripted.log} == {0.0}
    assert {s.body["max_tokens"] for s in scripted.log} == {96}


def test_a_slow_answer_holds_back_no_other(scripted):
    """An answer is kept as soon as it is there, so that an interruption loses little and the progress bar moves."""
    complete, free = scripted.faults.pop(), threading.Event()

    def waiting(h, number):
        if "Anna has 0 pens" in scripted.log[number].body["prompt"]:
            free.wait(5)
        return complete(h, number)

    scripted.faults.append(waiting)
    with (e := engine(scripted.url, prompt="text")).open(TINY, TINY.base()) as opened:
        answers = e.answer(opened, opened.prompts([p.question for p in PROBLEMS[:4]]), frozenset(), "x")
        early = [next(answers).at for _ in range(3)]
        free.set()
        assert (sorted(early), [a.at for a in answers]) == ([1, 2, 3], [0])


def test_sampling_sends_a_seed_of_its_own_with_every_prompt(scripted):
    with (e := engine(scripted.url)).open(TINY, TINY.base()) as opened:
        texts = opened.prompts([PROBLEMS[0].question] * 4)
        found = list(e.answer(opened, texts, frozenset(), "x", Sampling(0.7, 10)))
    assert sorted(a.at for a in found) == [0, 1, 2, 3]
    assert {s.body["temperature"] for s in scripted.log} == {0.7}
    assert sorted(s.body["seed"] for s in scripted.log) == [10, 11, 12, 13]


def test_text_prompts_and_the_length_cap(scripted):
    e = engine(scripted.url, prompt="text")
    with e.open(TINY, TINY.base()) as opened:
        (a,) = e.answer(opened, ["1+1?"], frozenset(), "x")
    assert scripted.log[0].body["prompt"] == "1+1?"
    assert not a.finished


def attempted(tmp_path, scripted, **more):
    store = Store(root=tmp_path / "store")
    return store.each(
        Attempts(target=TINY, engine=engine(scripted.url, prompt="text", **more)), TINY.base(), items=PROBLEMS
    )


def test_items_without_an_answer_are_faults_and_tried_again(tmp_path, scripted):
    """Faults table, F42: up to one in a hundred missing."""
    lost = "Question: Anna has 7 pens. How many pens?\nAnswer:"
    scripted.broken.add(lost)
    attempts = attempted(tmp_path, scripted)
    score = scores(Grade(grader=MathGrader())(attempts))["s"]
    assert (score.n, score.grader_errors) == (199, 1)
    assert "HTTP 500" in next(a.fault for a in attempts if a.fault)
    scripted.broken.clear()
    before = len(scripted.log)
    again = attempted(tmp_path, scripted)
    assert [str(s.body["prompt"]) for s in scripted.log[before:]] == [lost]
    assert not any(a.fault for a in again)
    assert scores(Grade(grader=MathGrader())(again))["s"].n == 200


def test_no_score_where_more_than_one_in_a_hundred_is_missing(tmp_path, scripted):
    """Faults table, F42: five in a hundred missing."""
    scripted.broken.update(f"Question: Anna has {i} pens. How many pens?\nAnswer:" for i in range(0, 200, 20))
    with pytest.raises(TooManyBadRecordsError, match=r"10 of 200 prompts got no answer.*max_missing=0.01.*Remedy"):
        attempted(tmp_path, scripted)
    scripted.broken.clear()
    before = len(scripted.log)
    assert len(attempted(tmp_path, scripted)) == 200
    assert len(scripted.log) - before == 10  # answers so far were kept


def weights(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "name").write_text(name)
    return Checkpoint(digest=name, kind="full", folder=str(folder))


def ask(e, checkpoint):
    with e.open(TINY, checkpoint) as opened:
        return next(iter(e.answer(opened, ["hello"], frozenset(), "x"))).text, opened.url


def test_a_server_stays_for_its_weights_alone(tmp_path):
    """A server keeps running for its weights; it is stopped for other weights and for training."""
    e = ServedEngine(command=COMMAND, prompt="text", startup=30)
    a, b = weights(tmp_path, "round_1"), weights(tmp_path, "round_2")
    (said, url), (_, same) = ask(e, a), ask(e, a)
    assert said == "served by round_1"
    assert url == same
    first = server._running.process
    assert ask(e, b)[0] == "served by round_2"
    assert first.poll() is not None
    second = server._running.process
    with TINY.open(TINY.base()):
        assert second.poll() is not None


def test_weights_and_command_are_in_the_key_the_address_is_not(tmp_path):
    assert digest(ServedEngine(url="http://a/v1")) == digest(ServedEngine(url="http://b/v1", batch_size=3))
    assert digest(ServedEngine(command=COMMAND)) != digest(ServedEngine(command=COMMAND + " --dtype half"))


def test_a_server_that_ends_is_told_with_its_last_words(tmp_path):
    dies = ServedEngine(command=f"{{python}} {SERVER} {{model}} {{port}} --die")
    with pytest.raises(ConfigError, match=r"(?s)exit code 3 while starting.*no such weights"):
        ask(dies, weights(tmp_path, "a"))
    mute = ServedEngine(command=f"{{python}} {SERVER} {{model}} {{port}} --mute", startup=1.5)
    with pytest.raises(BusyError, match=r"(?s)did not answer within engine.startup=2 s.*loading"):
        ask(mute, weights(tmp_path, "b"))
    assert not Counter(
        p.name() for p in psutil.Process().children(recursive=True) if "weight_server" in " ".join(p.cmdline())
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "one of engine.command=None and engine.url=None"),
        ({"command": "a {model} {port}", "url": "http://x/v1"}, "one of"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        ServedEngine(**settings)


@pytest.mark.parametrize(
    ("command", "message"),
    [("no-such-program {model} {port}", "program 'no-such-program' is not"), ("vllm serve", "{model} and {port}")],
)
def test_a_command_that_cannot_run_is_refused_early(command, message):
    with pytest.raises(ConfigError, match=message):
        ServedEngine(command=command).preflight()


def test_fixed_weights_are_not_taken_for_a_fine_tune(tmp_path, scripted):
    with pytest.raises(ConfigError, match=r"fixed weights.*fine-tune.*engine.command"):
        ask(engine(scripted.url), weights(tmp_path, "a"))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_killed_run_leaves_no_server(tmp_path):
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "name").write_text("w")
    code = (
        "import time; from sei.engines import server\n"
        f"server.serve(server.Launch(command={COMMAND!r}, model={str(tmp_path / 'w')!r}, weights='w', startup=30))\n"
        "print(server._running.process.pid, flush=True); time.sleep(60)"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=os.environ)
    pid = int(run.stdout.readline())
    assert psutil.pid_exists(pid)
    run.kill()
    run.communicate()
    end = time.monotonic() + 5
    while time.monotonic() < end and psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


VLLM_LOG = """INFO 11-26 20:01:02 [api_server.py:1971] vLLM API server version 0.32.0
(EngineCore_DP0 pid=77) ERROR 11-26 20:01:30 [core.py:700] EngineCore failed to start.
(EngineCore_DP0 pid=77) ERROR 11-26 20:01:30 [core.py:700] Traceback (most recent call last):
(EngineCore_DP0 pid=77) ERROR 11-26 20:01:30 [core.py:700]   File "core.py", line 691, in run_engine_core
(EngineCore_DP0 pid=77) ERROR 11-26 20:01:30 [core.py:700] ValueError: {cause}
Traceback (most recent call last):
{more}RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {{}}
"""
CAUSES = [
    (
        "Free memory on device (3.1/79.2 GiB) is less than desired GPU memory utilization (0.9)",
        "--gpu-memory-utilization",
    ),
    (
        "To serve at least one request with the models's max seq len (131072), 16.0 GiB KV cache is needed",
        "--max-model-len",
    ),
    ("No available memory for the cache blocks.", "--gpu-memory-utilization"),
    ("something that nobody has seen", "look at its log"),
]


@pytest.mark.parametrize(("cause", "remedy"), CAUSES)
def test_a_failed_start_says_its_cause_and_keeps_its_log(tmp_path, cause, remedy):
    log = VLLM_LOG.format(cause=cause, more='  File "x.py", line 1, in f\n' * 100)
    (tmp_path / "log").write_text(log)
    program = f"import sys, pathlib; print(pathlib.Path({str(tmp_path / 'log')!r}).read_text()); sys.exit(1)"
    (tmp_path / "dies.py").write_text(program)
    command = f"{{python}} {tmp_path / 'dies.py'} {{model}} {{port}}"
    with pytest.raises(ConfigError) as e:
        server.serve(server.Launch(command=command, model="m", weights="w", startup=20))
    first, rest = str(e.value).split("\n", 1)
    assert first.endswith(f"ValueError: {cause}")
    assert remedy in rest
    kept = Path(rest.rsplit(" ", 1)[1])
    assert kept.read_text().strip() == log.strip()
    kept.unlink()


DIES = f"""
import os, sys
sys.path.insert(0, {str(SERVER.parent)!r})
from weight_server import serve

def die(asked):
    print("RuntimeError: CUDA error: an illegal memory access was encountered", flush=True)
    os._exit(9)

serve("m", die, max_model_len=64)
"""


def test_a_server_that_dies_in_mid_run_is_noticed_within_seconds(tmp_path):
    (tmp_path / "dies.py").write_text(DIES)
    e = ServedEngine(command=f"{{python}} {tmp_path / 'dies.py'} {{model}} {{port}}", max_new_tokens=8)
    with e.open(TINY, TINY.base()) as opened:
        start = time.monotonic()
        with pytest.raises(StoppedError, match=r"(?s)exit code 9: RuntimeError: CUDA error.*kept") as stopped:
            list(e.answer(opened, opened.prompts(["How many?"]), frozenset(), "x"))
        assert time.monotonic() - start < 10
    assert stopped.value.exit_code == 75


LISTENS_NO_MORE = f"""
import gc, os, socketserver, sys, threading
sys.path.insert(0, {str(SERVER.parent)!r})
from weight_server import serve

def die(asked):
    print("RuntimeError: CPU Generator does not use offset", flush=True)
    next(x for x in gc.get_objects() if isinstance(x, socketserver.TCPServer)).socket.close()
    threading.Timer(float(os.environ["TAKES"]), os._exit, [9]).start()
    raise SystemExit

serve("m", die, max_model_len=64)
"""


@pytest.mark.parametrize(
    ("takes", "said"),
    [
        (3, r"(?s)ended with exit code 9: RuntimeError: CPU Generator.*no-enable-chunked-prefill"),
        (50, r"(?s)listens no more, and was stopped: RuntimeError: CPU Generator.*no-enable-chunked-prefill"),
    ],
)
def test_a_server_that_ends_slowly_is_told_by_its_own_words(tmp_path, monkeypatch, takes, said):
    """vLLM's address refuses connections while its processes still end."""
    monkeypatch.setattr(server, "_ENDING", 10.0 if takes < 10 else 1.0)
    (tmp_path / "dies.py").write_text(LISTENS_NO_MORE)
    command = f"{{python}} {tmp_path / 'dies.py'} {{model}} {{port}}"
    e = ServedEngine(command=command, max_new_tokens=8, env={"TAKES": takes})
    with e.open(TINY, TINY.base()) as opened, pytest.raises(StoppedError, match=f"{said}.*the same command continues"):
        list(e.answer(opened, opened.prompts(["How many?"]), frozenset(), "x"))
    assert server._running is None


def test_a_prompt_that_leaves_too_little_room_is_refused(tmp_path):
    (tmp_path / "dies.py").write_text(DIES)  # a server with a context of 64, which gets no request
    e = ServedEngine(command=f"{{python}} {tmp_path / 'dies.py'} {{model}} {{port}}", max_new_tokens=50)
    with (
        e.open(TINY, TINY.base()) as opened,
        pytest.raises(ConfigError, match=r"longest prompt has \d+ tokens .*max_new_tokens=50.*window of 64.*Remedy"),
    ):
        list(e.answer(opened, opened.prompts(["How many? " * 20]), frozenset(), "x"))


def test_a_gguf_base_is_refused_by_vllm_before_anything_costs(tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "m.gguf").write_bytes(b"GGUF")
    target = TargetModel(name="m", source=str(tmp_path / "weights"), template="plain")
    with pytest.raises(ConfigError, match=r"vllm.*GGUF.*Remedy"):
        Attempts(target=target, engine=ServedEngine(command="vllm serve {model} --port {port}")).preflight()
    Attempts(target=target, engine=ServedEngine(command="llama-server -m {model} --port {port}")).preflight()
    Attempts(target=TINY, engine=ServedEngine(command="vllm serve {model} --port {port}")).preflight()


def test_the_shipped_command_listens_on_this_machine_alone():
    text = (ROOT / "conf" / "engine" / "openai_server.yaml").read_text()
    assert "--host 127.0.0.1" in text
    assert "--generation-config vllm" in text
