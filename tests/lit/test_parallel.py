"""A fine-tune on several devices (here: two CPU processes) equals one on a single device, and leaves nothing behind."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from sei.lit.parallel import ParallelCausalLM
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from sei.errors import ConfigError, NumericError
from sei.exits import Interruption, catch_signals
from sei.finetuners import supervised as finetune
from sei.finetuners.supervised import Finetune
from sei.lit import parallel
from sei.lit.batches import Epochs, TokenBudget, share
from sei.lit.trainer import TrainerSettings
from sei.store import folder_digest
from tests.builders import TINY, lessons
from tests.conftest import ROOT
from tests.lit.fits import TWO, calling, fit


@pytest.fixture(scope="module")
def examples():
    return lessons()


def weights(trained):
    return load_file(Path(trained.checkpoint.folder) / "model.safetensors")


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
@pytest.mark.parametrize("devices", [1, 2, 4])
def test_every_row_is_on_one_device_and_no_device_is_without(rows, devices):
    shares = [share(range(rows), rank, devices) for rank in range(devices)]
    assert sorted(i for part, spare in shares if not spare for i in part) == list(range(rows))
    assert [len(part) for part, spare in shares if spare] == [1] * max(0, devices - rows)


LORA = {"method": "lora", "lora_dropout": 0.0, "schedule": TokenBudget(steps=5, tokens_per_step=60), "resume_every": 3}


@pytest.fixture(scope="module")
def two(examples, tmp_path_factory):
    """A fit on two devices, its log, and the folder of its resume points, which a fit deletes."""
    folder, rmtree, said = tmp_path_factory.mktemp("two"), shutil.rmtree, []
    with pytest.MonkeyPatch.context() as m:
        m.setattr(finetune.shutil, "rmtree", lambda f, **k: None if f.name == "resume" else rmtree(f, **k))
        m.setattr(finetune.log, "warning", lambda text, *values: said.append(text % values))
        trained = fit(examples, folder, **LORA)
    assert multiprocessing.active_children() == []
    return trained, said, folder / "resume"


def test_two_devices_train_to_the_weights_of_one_up_to_rounding(examples, two, tmp_path):
    trained, said, _ = two
    assert "some devices are idle" in "".join(said)  # 60 tokens: some batches are one row
    one = fit(examples, tmp_path / "one", TrainerSettings(), **LORA)
    assert [s.tokens for s in trained.curve] == [s.tokens for s in one.curve]
    assert [s.loss for s in trained.curve] == pytest.approx([s.loss for s in one.curve], abs=1e-4)
    base = fit(examples, tmp_path / "base", TrainerSettings(), **{**LORA, "lr": 1e-12})
    moved = {k: float((v - weights(base)[k]).abs().max()) for k, v in weights(one).items()}
    assert max(moved.values()) > 1e-3
    for name, w in weights(trained).items():
        assert torch.allclose(w, weights(one)[name], atol=1e-6 + 0.02 * moved[name]), name


@pytest.mark.slow
def test_a_resumed_fit_on_two_devices_has_the_same_weights(examples, two, tmp_path, caplog):
    whole, _, resume = two
    points = sorted(resume.glob("*.ckpt"))
    assert [torch.load(p, weights_only=True)["global_step"] for p in points] == [3, 5]
    (tmp_path / "resume").mkdir()
    shutil.copy(points[0], tmp_path / "resume")
    with caplog.at_level("INFO"):
        again = fit(examples, tmp_path, **LORA)
    assert "continues after step 3" in caplog.text
    assert (again.checkpoint.digest, again.curve) == (whole.checkpoint.digest, whole.curve)


def test_dropout_draws_anew_at_each_step_and_device(monkeypatch):
    """Dropout differs between steps and devices, and is the same after a resume."""

    def drawn(step, rank):
        module = ParallelCausalLM(torch.nn.Linear(1, 1), seed=1, threads=1, to_parent=None)
        module.curve = [(0.0, 1)] * step
        monkeypatch.setattr(ParallelCausalLM, "global_rank", rank)
        module.on_train_batch_start({}, 0)
        return float(torch.rand(1))

    first = [drawn(step, rank) for step in range(3) for rank in range(2)]
    assert len(set(first)) == 6
    assert [drawn(step, rank) for step in range(3) for rank in range(2)] == first


@pytest.mark.slow
def test_an_infinite_loss_ends_a_fit_on_two_devices_as_itself(examples, tmp_path):
    trained = fit(examples, tmp_path / "a", TrainerSettings())
    file = Path(trained.checkpoint.folder) / "model.safetensors"
    held = load_file(file)
    name = next(n for n in held if "norm" in n)
    held[name][0] = float("nan")
    save_file(held, file, metadata={"format": "pt"})
    start = replace(trained.checkpoint, digest=folder_digest(file.parent))
    with pytest.raises(NumericError, match=r"loss is nan at step 1.*lr"):
        fit(examples, tmp_path / "b", start=start)
    assert not (tmp_path / "b" / "model").exists()
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_a_signal_ends_the_children_too(examples, tmp_path, monkeypatch):
    handlers = {s: signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)}
    catch_signals()
    steps = []

    def advance(n):
        steps.append(n)
        if len(steps) == 2:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)

    monkeypatch.setattr(finetune, "progress", calling(advance))
    try:
        with pytest.raises(Interruption) as e:
            fit(examples, tmp_path, schedule=Epochs(epochs=300, batch_size=8))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert (e.value.code, len(steps) >= 2) == (143, True)
    assert multiprocessing.active_children() == []
    assert not (tmp_path / "model").exists()


FIT = """
from pathlib import Path
from tests.lit import fits as t
t.finetune.progress = t.calling(lambda n: print("step", flush=True))
t.fit(t.lessons(), Path({folder!r}), schedule=t.Epochs(epochs=300, batch_size=8))
"""


@pytest.mark.slow
def test_children_end_with_a_parent_that_was_killed(tmp_path):
    program = FIT.format(folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout.readline() == "step\n"
        of_parent = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        children = [c for c in of_parent if "spawn_main" in Path(f"/proc/{c}/cmdline").read_text()]
        assert len(children) == 2
        os.kill(int(children[0]), signal.SIGSTOP)  # the other one waits for it and cannot handle signals in Python
        time.sleep(1)
        parent.kill()
    assert gone(children[1])
    os.kill(int(children[0]), signal.SIGCONT)
    assert gone(children[0])


def gone(process: str, within: float = 20) -> bool:
    end = time.monotonic() + within
    while Path(f"/proc/{process}").exists():
        if time.monotonic() > end:
            os.kill(int(process), signal.SIGKILL)
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"schedule": Epochs(batch_size=1)}, ["batch_size=1", "trainer.devices=2", "batch_size=2 or more"]),
        ({"schedule": TokenBudget(), "method": "lora", "quantize": "nf4"}, ["quantize=nf4", "trainer.devices=2"]),
    ],
)
def test_what_two_devices_cannot_share_is_refused_early(settings, words):
    with pytest.raises(ConfigError) as e:
        Finetune(target=TINY, trainer=TWO, **settings)
    assert all(w in str(e.value) for w in words)


DYING = """
import os, signal, sys
from pathlib import Path
from sei.errors import SeiError
from sei.lit import parallel
from sei.lit.parallel import ParallelCausalLM
from tests.lit import fits as t

class Dying(ParallelCausalLM):
    def on_train_batch_start(self, batch, batch_idx):
        super().on_train_batch_start(batch, batch_idx)
        if self.global_rank == 1 and batch_idx == 1:
            {end}

import sei.lit.parallel as parallel
parallel.ParallelCausalLM = Dying

if __name__ == "__main__":
    from sei.exits import tell
    try:
        t.fit(t.lessons(), Path({folder!r}), schedule=t.Epochs(epochs=2, batch_size=8))
    except BaseException as e:
        raise SystemExit(tell(e))
"""


OOM = "CUDA out of memory. Tried to allocate 2.00 GiB"
NCCL = "NCCL error: unhandled system error"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", ["device 1 of 2", "SIGKILL", "memory"]),
        pytest.param(
            f"import torch; raise torch.OutOfMemoryError({OOM!r})",
            ["device 1 of 2", OOM, "batch"],
            marks=pytest.mark.slow,
        ),
        pytest.param(f"raise RuntimeError({NCCL!r})", ["device 1 of 2", NCCL, "NCCL_DEBUG"], marks=pytest.mark.slow),
    ],
    ids=["killed", "out of memory", "nccl"],
)
def test_a_child_that_dies_ends_the_fit_with_what_ended_it(tmp_path, end, words):
    """F30."""
    script = tmp_path / "dying.py"
    script.write_text(DYING.format(end=end, folder=str(tmp_path / "run")))
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = time.monotonic()
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, env=env, cwd=tmp_path)
    assert time.monotonic() - start < 40
    assert done.returncode == 1, done.stderr
    message = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""
    assert [w for w in words if w not in message] == [], done.stderr
    assert "Remedy" in message


@pytest.mark.parametrize(("said", "remedy"), [(OOM, "batch"), (NCCL, "NCCL_DEBUG"), ("something else", "sei.log")])
def test_the_last_words_of_a_child_stand_in_the_message(said, remedy):
    """F30."""
    text = f"\n\n-- Process 1 terminated with the following error:\nTraceback (most recent call last):\n...\n{said}\n"
    message = str(parallel._ended(ProcessRaisedException(text, 1, 7), 2))
    assert said in message
    assert remedy in message.split("Remedy:")[1]


def test_only_a_killed_child_is_said_to_have_wanted_memory():
    def message(code: int, name: str | None) -> str:
        return str(parallel._ended(ProcessExitedException("x", 1, 7, code, name), 2))

    assert "memory" in message(-9, "SIGKILL")
    assert "finetuner.micro_batch" in message(-9, "SIGKILL")
    for other in (message(-11, "SIGSEGV"), message(3, None)):
        assert "memory" not in other
        assert "finetuner.micro_batch" not in other


SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_JOB_NAME": "sweep",
    "SLURM_NTASKS": "1",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_NODELIST": "localhost",
    "SLURM_JOB_NODELIST": "localhost",
    "SLURM_NTASKS_PER_NODE": "1",
    "SLURM_JOB_NUM_NODES": "1",
}


@pytest.mark.slow
def test_inside_a_slurm_task_two_devices_train_as_elsewhere(examples, two, tmp_path, monkeypatch):
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    trained, _, _ = two
    again = fit(examples, tmp_path, **LORA)
    assert (again.checkpoint.digest, again.curve) == (trained.checkpoint.digest, trained.curve)


def test_a_cluster_in_sight_changes_no_trainer(tmp_path, monkeypatch):
    from pytorch_lightning.plugins.environments import LightningEnvironment

    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    trainer = TrainerSettings().build(tmp_path)  # a warning about srun would be an error here
    assert isinstance(trainer._accelerator_connector.cluster_environment, LightningEnvironment)
    assert trainer.world_size == 1
