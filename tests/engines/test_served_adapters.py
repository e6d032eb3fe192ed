"""Adapters that are loaded while the server runs, sleep and scale: with a server that has vLLM's addresses."""

from __future__ import annotations

import json
import shlex
import sys
import urllib.request
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from sei.build import build
from sei.engines import memory, server, vllm
from sei.engines.openai_server import ServedEngine
from sei.engines.scale import Scale
from sei.errors import BusyError, ConfigError
from sei.models.target import TargetModel
from sei.records import Checkpoint
from sei.store import digest
from tests.builders import TINY
from tests.compose import composed

pytestmark = [
    pytest.mark.usefixtures("quick"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SERVER = Path(__file__).parent / "adapter_server.py"
VLLM = "vllm serve {model} --port {port}"


@pytest.fixture(autouse=True)
def none_left():
    yield
    server.stop()


@pytest.fixture
def command(tmp_path) -> str:
    """Return a command line whose program is called vllm."""
    (tmp_path / "vllm").write_text(SERVER.read_text())
    return f"{{python}} {tmp_path / 'vllm'} serve {{model}} --port {{port}}"


@pytest.fixture
def base(tmp_path) -> Checkpoint:
    return weights(tmp_path, "warmed_up")


def weights(tmp_path, name) -> Checkpoint:
    (tmp_path / name).mkdir()
    (tmp_path / name / "model.safetensors").write_bytes(b"0" * 1000)
    return Checkpoint(digest=f"digest_{name}", kind="full", folder=str(tmp_path / name))


def adapter(tmp_path, onto, name, rank=8) -> Checkpoint:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank, "rank_pattern": {}}))
    merged = str(tmp_path / f"{name}_merged")
    return Checkpoint(digest=f"digest_{name}", kind="adapter", folder=merged, adapter=str(folder), onto=onto)


def engine(command, **more) -> ServedEngine:
    return ServedEngine(command=command, **{"prompt": "text", "startup": 30.0, "finetunes": "lora", **more})


def ask(e, checkpoint, target=TINY) -> str:
    with e.open(target, checkpoint) as opened:
        return next(iter(e.answer(opened, ["hello"], frozenset(), "x"))).text


def events() -> list:
    with urllib.request.urlopen(server._running.url.removesuffix("/v1") + "/events") as reply:
        return json.load(reply)


def test_one_server_answers_for_every_adapter_on_its_weights(tmp_path, command, base):
    e, before = engine(command, env={"OWN": 1}, lora_rank=32), []
    for name in ("round_1", "round_2"):
        checkpoint = adapter(tmp_path, base, name)
        assert ask(e, base) == f"{base.folder} in {base.folder}"
        assert ask(e, checkpoint) == ask(e, checkpoint) == f"digest_{name} in {name}"
        before.append(server._running.process)
        server.release("cpu")  # this process trains on the CPU, beside the server
        assert before[-1].poll() is None
    assert before[0] is before[1]
    started, *asked = events()
    assert started["options"][2:] == ["--enable-lora", "--max-lora-rank", "32"]
    assert started["env"] == {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True", "OWN": "1"}
    assert [path for path, _ in asked] == ["/v1/load_lora_adapter"] * 2  # each once
    with e.open(TINY, checkpoint) as opened:
        assert opened.window == 512
    assert ask(e, weights(tmp_path, "full")).endswith("full")  # other whole weights need another server
    assert before[0].poll() is not None


def test_larger_adapters_and_merged_ones_start_it_again(tmp_path, command, base):
    plain = engine(command, finetunes="full")
    assert ask(plain, base)
    assert events()[0]["options"][2:] == []
    large = adapter(tmp_path, base, "large", rank=40)
    assert ask(plain, large) == "digest_large in large"
    first, (started, *_) = server._running.process, events()
    assert started["options"][2:] == ["--enable-lora", "--max-lora-rank", "64"]
    assert ask(engine(command), base)  # the server with room for more serves less too
    assert server._running.process is first
    weights(tmp_path, "large_merged")
    merged = engine(command, adapters="merged")
    assert ask(merged, large) == f"{large.folder} in {large.folder}"
    assert events()[0]["options"][2:] == []


def test_a_server_sleeps_while_this_process_computes(tmp_path, command, base, monkeypatch):
    e, first = engine(command, scale=Scale(sleep=True)), adapter(tmp_path, base, "round_1")
    ask(e, first)
    process = server._running.process
    server.release("cuda:0")
    server.release("cuda:0")  # it sleeps already
    assert ask(e, first) == "digest_round_1 in round_1"
    assert server._running.process is process
    started, *asked = events()
    assert "--enable-sleep-mode" in started["options"]
    assert started["env"]["VLLM_SERVER_DEV_MODE"] == "1"
    assert [p for p, _ in asked[1:]] == ["/sleep?level=1", "/wake_up", "/reset_prefix_cache"]
    monkeypatch.setattr(memory, "available", lambda: 3999.0)  # less than four times the weights
    monkeypatch.setattr(server, "available", lambda: 3999.0)
    server.release("cpu")
    assert server._running.asleep


@pytest.mark.parametrize(("visible", "stays"), [("0", True), (" 0, 3", True), ("", True), ("0,1", False),
                                                ("GPU-5e1c", False), (None, False)])  # fmt: skip
def test_a_server_on_gpus_of_its_own_stays(command, base, monkeypatch, visible, stays):
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    ask(engine(command, scale=Scale(gpus=[1, 2])), base)
    assert events()[0]["env"]["CUDA_VISIBLE_DEVICES"] == "1,2"
    process = server._running.process
    server.release("cuda:0")
    assert (process.poll() is None) == stays


@pytest.mark.parametrize("more", [{}, {"scale": Scale(sleep=True), "env": {"FAIL": "/sleep?level=1"}}])
def test_a_server_that_cannot_sleep_is_stopped(command, base, more):
    e = engine(command, **more)
    ask(e, base)
    process = server._running.process
    server.release("cuda:0")
    assert process.poll() is not None
    assert server._running is None


def test_a_server_that_does_not_wake_is_started_again(command, base):
    e = engine(command, scale=Scale(sleep=True), env={"FAIL": "/wake_up"})
    ask(e, base)
    process = server._running.process
    server.release("cuda:0")
    assert ask(e, base)
    assert server._running.process is not process


def test_a_refused_adapter_is_told_in_the_servers_words(tmp_path, command, base):
    e = engine(command, env={"FAIL": "/v1/load_lora_adapter"})
    with pytest.raises(ConfigError, match=r"HTTP 400.*rank 99 is greater.*Remedy: engine.adapters=merged"):
        ask(e, adapter(tmp_path, base, "round_1"))


def test_a_server_whose_port_is_taken_gets_another_one(command, base, monkeypatch):
    """Faults: the first port belongs to another program, or the program that answers serves something else."""
    tried, start = [], server._start
    monkeypatch.setattr(server, "_PORTS", 2)
    monkeypatch.setattr(server, "_start", lambda launch: tried.append(1) or start(launch))
    for env in ({"SAY": "OSError: [Errno 98] Address already in use"}, {"ROOT": "/other/weights"}):
        with pytest.raises(BusyError, match=r"taken by another program, 2 times"):
            ask(engine(command, env=env), base)
    assert len(tried) == 4


def test_a_running_server_loads_adapters_of_the_base_alone(tmp_path, command):
    """One server at a fixed address may be student and teacher."""
    where = tmp_path / "base"
    weights(tmp_path, "base")
    target = TargetModel(name="m", source=str(where), template="plain")
    launch = server.Launch(command=command, model=str(where), weights="x", startup=30, rank=8)
    url = server.serve(launch).url
    e = ServedEngine(url=url, adapters="served", prompt="text")
    told = TargetModel(name="tiny", source="packaged:tiny_l", template="plain")
    base = told.base()
    assert ask(e, base, told) == f"{where} in {where}"
    assert ask(e, adapter(tmp_path, base, "round_1"), told) == "digest_round_1 in round_1"
    with pytest.raises(ConfigError, match=r"fixed weights.*fine-tune"):
        ask(e, adapter(tmp_path, weights(tmp_path, "full"), "round_2"), told)
    fixed = ServedEngine(url=url, prompt="text")
    with pytest.raises(ConfigError, match=r"engine\.adapters=served"):
        ask(fixed, Checkpoint(digest="x", kind="adapter", adapter="a", folder="f", onto=base), told)
    assert target.source  # unused otherwise


def test_keys_hold_what_changes_answers_alone():
    old = ServedEngine(command="serve {model} {port}")
    assert ServedEngine.reads(old) == {}
    assert digest(old) == digest(ServedEngine(command=old.command, adapters="merged", finetunes="lora", lora_rank=64))
    new = ServedEngine(command=VLLM)
    assert new.reads() == {"adapters": "served"}
    assert digest(new) == digest(ServedEngine(command=VLLM, scale=Scale(data_parallel=8, memory_share=0.5)))
    assert digest(new) == digest(ServedEngine(command=VLLM, compare_merged=16, finetunes="lora"))
    keys = [{}, {"adapters": "merged"}, {"env": {"A": "1"}}, {"env": {"A": "2"}}, {"temperature": 0.5}]
    assert len({digest(ServedEngine(command=VLLM, **more)) for more in keys}) == len(keys)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"command": "llama {model} {port}", "scale": Scale(memory_share=0.5)}, "does not start vLLM"),
        ({"url": "http://x/v1", "scale": Scale(sleep=True)}, "does not start vLLM"),
        ({"command": VLLM + " --enable_sleep_mode", "scale": Scale(sleep=True)}, "both set --enable-sleep-mode"),
        ({"command": VLLM, "scale": Scale(api_servers=4)}, "api_servers=4 with adapters"),
        ({"command": VLLM + " --api-server-count=2"}, "api_servers=2 with adapters"),
        ({"url": "http://x/v1", "scale": Scale(gpus=[1])}, "gpus=.1. with engine.url"),
        ({"command": VLLM, "scale": Scale(gpus=[1]), "env": {"CUDA_VISIBLE_DEVICES": 1}}, "engine.env sets CUDA"),
        ({"command": VLLM, "scale": Scale(gpus=[1, 1], data_parallel=2)}, "the server takes 2 GPUs"),
        ({"command": VLLM + " -tp 2", "scale": Scale(gpus=[1])}, "the server takes 2 GPUs"),
        ({"url": "http://x/v1", "compare_merged": 4}, "needs a server of merged weights"),
        ({"command": VLLM, "compare_merged": 4, "temperature": 0.5}, "compares greedy answers"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(settings, message):
    with pytest.raises(ConfigError, match=f"(?s){message}.*Remedy"):
        ServedEngine(**settings)


def test_scale_is_words_of_the_command_line():
    scale = Scale(data_parallel=8, memory_share=0.8, sleep=True)
    launch = server.Launch(command=f"{sys.executable} -m vllm.x {{model}} {{port}}", model="m", weights="w",
                           startup=1, scale=scale, rank=9)  # fmt: skip
    assert launch.words("m", 5)[5:] == shlex.split(
        "--data-parallel-size 8 --gpu-memory-utilization 0.8 --enable-sleep-mode "
        "--enable-lora --api-server-count 1 --max-lora-rank 16"
    )
    assert launch.environment()["VLLM_SERVER_DEV_MODE"] == "1"


def test_the_ranks_of_adapters_and_servers(tmp_path):
    assert [vllm.served_rank(r) for r in (1, 2, 16, 17, 512)] == [1, 8, 16, 32, 512]
    with pytest.raises(ConfigError, match=r"rank 513.*up to rank 512"):
        vllm.served_rank(513)
    words = shlex.split("vllm serve m --enable_lora --max_lora_rank=8")
    assert vllm.adapter_flags(words, 8) == []
    with pytest.raises(ConfigError, match=r"--max-lora-rank 8, but an adapter has rank 16"):
        vllm.adapter_flags(words, 16)
    (tmp_path / "adapter_config.json").write_text('{"r": 8, "rank_pattern": {"q_proj": 24}}')
    assert vllm.rank_of(tmp_path) == 24
    with pytest.raises(ConfigError, match=r"adapter_config.json cannot be read.*Remedy"):
        vllm.rank_of(tmp_path / "none")


def test_the_memory_that_weights_take(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"0" * 100)
    (tmp_path / "tokenizer.json").write_bytes(b"0" * 100)
    assert memory.size_of(tmp_path) == 100
    assert memory.size_of(Path("a/hub-name")) == float("inf")
    assert memory.available() > 1e6


def test_the_papers_presets_serve_adapters_and_sleep():
    """Refinement and rejection sampling use the same engine as attempts."""
    cfg, _ = composed("experiment=paper_qwen2_5_math_7b", "synthesizer=rejection_sampling")
    found = [OmegaConf.to_container(x.engine, resolve=True) for x in (cfg, cfg.refiner, cfg.synthesizer)]
    assert found[0] == found[1] == found[2]
    e = build(found[0], "engine", ())
    assert e.serves_adapters
    assert (e.finetunes, e.lora_rank, e.scale.sleep, e.compare_merged) == ("lora", 8, True, 64)
