"""Rows of the fault table that end before anything costs: unusable folders, missing keys or GPUs, secret arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sei.__main__ import check
from sei.build import build
from sei.data.arithmetic import Arithmetic
from sei.errors import ConfigError, DiskError
from sei.instructors.remote.instructor import OpenAICompatible
from sei.job import perform
from sei.lit.trainer import TrainerSettings
from sei.models.target import TargetModel
from sei.parts import parts_in
from sei.ports import Preflight
from sei.secrecy import is_secret, without_secrets
from sei.track.none import NoTracker
from tests.compose import composed
from tests.instructors.remote.fault_server import FaultServer
from tests.trees import hits, tree

QUICK = ("experiment=smoke", "tracker=none")


@pytest.fixture
def server():
    server = FaultServer(lambda _: "{}")
    yield server
    server.close()
    assert server.log == [], "nothing was sent"


@pytest.fixture
def file(tmp_path) -> Path:
    """Return a regular file: nothing can be created below it, by any user."""
    (tmp_path / "file").write_text("x")
    return tmp_path / "file"


def plain(*overrides: str) -> dict:
    return check(*composed(*QUICK, *overrides))


# F24


@pytest.mark.parametrize("setting", ["store", "instructor.cache", "hydra.run.dir", "hydra.sweep.dir"])
@pytest.mark.parametrize("where", ["FILE/sub", "FILE", "/proc/no"])
def test_a_place_that_takes_no_files_ends_a_run_before_it_costs(sei, server, file, setting, where):
    """F24."""
    bad = where.replace("FILE", str(file))
    if setting == "instructor.cache":
        bad += "/answers.sqlite"
    more = ["-m"] if setting == "hydra.sweep.dir" else []
    remote = ("instructor=openai_compatible", f"instructor.base_url={server.url}")
    done = sei(*QUICK, *remote, f"{setting}={bad}", *more)
    assert done.returncode == 74, done.stderr[-2000:]
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("sei:")]
    assert bad in said
    assert any(reason in said for reason in ("Not a directory", "exists", "No such file"))
    assert f"{setting}=PATH" in said
    assert "Traceback" not in done.stderr
    assert not (sei.store / "goldcheck").exists()
    assert file.read_text() == "x"


@pytest.mark.parametrize("bad", ["store", "folder"])
def test_places_are_tried_before_data_are_loaded(tmp_path, file, monkeypatch, bad):
    """F24."""

    def never(*_, **__):
        raise AssertionError("too late")

    monkeypatch.setattr(Arithmetic, "load", never)
    monkeypatch.setattr(NoTracker, "start", never)
    monkeypatch.setattr(TargetModel, "base", never)
    store, folder = (file / "s", tmp_path / "run") if bad == "store" else (tmp_path / "s", file / "run")
    with pytest.raises(DiskError, match=r"file/.*Not a directory.*Remedy: "):
        perform(plain(f"store={store}"), folder)


def test_a_full_disk_is_seen_and_nothing_is_left_of_the_try(tmp_path, monkeypatch):
    """F23."""

    def full(self, data):
        self.touch()
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskError, match="No space left"):
        perform(plain(f"store={tmp_path / 's'}"), tmp_path / "run")
    assert not list(tmp_path.rglob(".probe*"))


def test_every_part_that_can_look_ahead_is_asked_in_order():
    config = plain("instructor=openai_compatible", "trainer=gpu")
    method = build(config["method"], "method", ())
    asked = [type(p).__name__ for p in parts_in({"a": [method]}) if isinstance(p, Preflight)]
    wanted = ["Attempts", "TargetModel", "TrainerSettings", "OpenAICompatible"]  # the student, its engine, the teacher
    assert asked[:4] == wanted
    assert asked == [type(p).__name__ for p in parts_in((method,)) if isinstance(p, Preflight)]
    assert {*wanted, "Finetune", "SentenceEmbedder", "OneShotStep"} == set(asked)


@pytest.mark.parametrize(
    ("settings", "cuda", "words"),
    [
        ({"accelerator": "gpu"}, 0, ["trainer.accelerator='gpu'", "trainer=cpu"]),
        ({"accelerator": "gpu", "devices": 4}, 4, ["trainer.devices=4", "trainer.strategy=auto", "trainer=ddp"]),
        ({"accelerator": "cpu", "devices": 2}, 0, ["trainer.devices=2", "trainer.devices=1"]),
        ({"accelerator": "gpu", "devices": 4, "strategy": "ddp"}, 2, ["trainer.devices=4", "sees 2", "devices=2"]),
        ({"accelerator": "gpu", "devices": 2, "strategy": "ddp"}, 2, []),
        ({"accelerator": "cpu", "devices": 2, "strategy": "ddp"}, 0, []),
        ({"accelerator": "gpu"}, 1, []),
        ({"accelerator": "auto"}, 0, []),
    ],
)
def test_missing_gpus_are_told_before_anything_costs(monkeypatch, settings, cuda, words):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    if not words:
        TrainerSettings(**settings).preflight()
        return
    with pytest.raises(ConfigError) as e:
        TrainerSettings(**settings).preflight()
    assert all(w in str(e.value) for w in words)


def test_looking_ahead_on_a_cpu_brings_no_torch():
    code = (
        "import sys; from sei.lit.trainer import TrainerSettings as T; T().preflight(); "
        "T(accelerator='gpu'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_a_missing_key_ends_a_run_before_data_are_loaded(tmp_path, server, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    monkeypatch.setattr(Arithmetic, "load", lambda self: pytest.fail("too late"))
    remote = ("instructor=openai_compatible", f"instructor.base_url={server.url}", "instructor.api_key_env=NO_SUCH_KEY")
    with pytest.raises(ConfigError, match=r"'NO_SUCH_KEY': no such environment variable.*export NO_SUCH_KEY"):
        perform(plain(*remote, f"store={tmp_path / 's'}"), tmp_path / "run")


def test_looking_ahead_keeps_the_cache_as_it_is(tmp_path):
    part = OpenAICompatible(model="m", base_url="http://h/v1", cache=str(tmp_path / "a.sqlite"), api_key_env="")
    part.preflight()
    part._client.cache.put("k", {"text": "kept"})
    part.preflight()
    assert part._client.cache.get("k") == {"text": "kept"}
    part._client.cache.close()
    (tmp_path / "b.sqlite").write_bytes(b"no database, " * 400)
    OpenAICompatible(
        model="m", base_url="http://h/v1", cache=str(tmp_path / "b.sqlite"), api_key_env=""
    ).preflight()  # damage is repaired when the cache is opened
    assert (tmp_path / "b.sqlite").read_bytes() == b"no database, " * 400


# F35


@pytest.mark.parametrize(
    "override",
    [
        "instructor.base_url=http://me:pass-word-1@127.0.0.1:1/v1",
        "instructor.base_url=https://pass-word-1@host",
        "+instructor.api_key=pass-word-1",
        "+tracker.token=pass-word-1",
        "instructor.api_key_env=sk-pass-word-1",
        "engine.env={HF_TOKEN:pass-word-1}",
        "instructor.extra_body={password:12345678,note:pass-word-1}",
        "engine.env={A:1,AWS_SECRET_ACCESS_KEY:pass-word-1}",
        "engine.env.AWS_SECRET_ACCESS_KEY=pass-word-1",
        "instructor.extra_body={api-key:pass-word-1}",
        "instructor.extra_body={headers:{Authorization:'Bearer pass-word-1'}}",
    ],
)
def test_a_secret_on_the_command_line_is_refused_unwritten(sei, tmp_path, override):
    """F35."""
    done = sei("experiment=smoke", "tracker=none", "instructor=openai_compatible", override)
    assert done.returncode == 2
    assert "looks like a secret" in done.stderr
    assert "environment variable" in done.stderr
    assert "pass-word-1" not in done.stdout + done.stderr
    assert tree(tmp_path) == set()


@pytest.mark.parametrize(
    "argument",
    ["engine.max_new_tokens=512", "instructor.max_tokens={problems:4000}", "instructor.tokens_per_minute=9000",
     "instructor.api_key_env=MY_API_KEY", "finetuner.schedule.tokens_per_step=500", "+tracker.token=null",
     "engine.env={TOKENIZERS_PARALLELISM:false}", "model.chat_template_kwargs={eos_token:x}", "answer_tokens=256",
     "instructor.extra_body={stop_token:5}", "chars_per_token=4.0", "instructor.extra_body={max_token:100,x:1}"],
)  # fmt: skip
def test_settings_with_such_words_are_no_secrets(argument):
    assert not is_secret(argument)


@pytest.mark.parametrize("argument", ["+tracker.token=123456", "x={password:1234}", "x={api_key:99,y:1}"])
def test_secrets_may_be_numbers(argument):
    assert is_secret(argument)


def test_trackers_get_a_config_without_secrets():
    config = {"env": {"HF_TOKEN": "abc", "N": "1"}, "url": "http://me:pw@host/v1", "keys": ["sk-0123456789"], "n": 3}
    hidden = {"env": {"HF_TOKEN": "(hidden)", "N": "1"}, "url": "http://(hidden)@host/v1", "keys": ["(hidden)"], "n": 3}
    assert without_secrets(config) == hidden


def test_a_secret_in_an_address_is_refused_and_written_nowhere(sei, tmp_path):
    """F35."""
    done = sei(*QUICK, "instructor=openai_compatible", SEI_INSTRUCTOR_URL="http://me:pass-word-1@127.0.0.1:1/v1")
    assert done.returncode == 2
    assert "user or password" in done.stderr
    assert "pass-word-1" not in done.stdout + done.stderr
    assert hits(tmp_path, ["pass-word-1"]) == []


def test_a_key_where_its_name_belongs_is_refused_unrepeated(tmp_path):
    with pytest.raises(ConfigError, match="NAME of an environment variable") as e:
        OpenAICompatible(model="m", base_url="http://h/v1", cache=str(tmp_path / "a"), api_key_env="key-pass-word-1")
    assert "pass-word-1" not in str(e.value)
