"""A fine-tune on several devices (here: two CPU processes) equals one on a single device, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from sei.build import build
from sei.errors import ConfigError, DeviceError, NumericError
from sei.exits import Interruption, catch_signals
from sei.finetuners import supervised as finetune
from sei.finetuners.supervised import Finetune
from sei.lit import fits, launch
from sei.lit.batches import Epochs, TokenBudget, share
from sei.lit.fits import Curve, Followed
from sei.lit.launcher import words_of
from sei.lit.ranks import RankCausalLM
from sei.lit.trainer import TrainerSettings
from sei.parts import node_of
from sei.records import Throughput
from sei.store import folder_digest
from tests.builders import TINY, lessons
from tests.conftest import ROOT
from tests.lit.fits import TWO, calling, fit

SHARED_OUT = replace(TWO, strategy="fsdp")


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


def kept(examples, folder, machine, said=None, **more):
    """A fit whose resume points stay, since a fit deletes them."""
    rmtree = shutil.rmtree
    with pytest.MonkeyPatch.context() as m:
        m.setattr(finetune.shutil, "rmtree", lambda f, **k: None if f.name == "resume" else rmtree(f, **k))
        m.setattr(finetune.log, "warning", lambda text, *values: [] if said is None else said.append(text % values))
        return fit(examples, folder, machine, **{**LORA, **more})


def workers():
    """The processes of fits that run on this machine."""
    return [p for p in psutil.process_iter(["cmdline"]) if "sei.lit.worker" in " ".join(p.info["cmdline"] or [])]


@pytest.fixture(scope="module")
def one(examples, tmp_path_factory):
    return fit(examples, tmp_path_factory.mktemp("one"), TrainerSettings(), **LORA)


@pytest.fixture(scope="module")
def two(examples, tmp_path_factory):
    """A fit on two devices, its warnings, and the folder of its resume points."""
    folder, said = tmp_path_factory.mktemp("two"), []
    trained = kept(examples, folder, TWO, said)
    assert workers() == []
    assert not (folder / "fit").exists()
    return trained, said, folder / "resume"


@pytest.fixture(scope="module")
def shared_out(examples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared_out")
    return kept(examples, folder, SHARED_OUT), folder / "resume"


def require_near(trained, one, base):
    """Weights equal those of one device up to rounding, which is small beside what training changed."""
    assert [s.tokens for s in trained.curve] == [s.tokens for s in one.curve]
    assert [s.loss for s in trained.curve] == pytest.approx([s.loss for s in one.curve], abs=1e-4)
    moved = {k: float((v - weights(base)[k]).abs().max()) for k, v in weights(one).items()}
    assert max(moved.values()) > 1e-3
    for name, w in weights(trained).items():
        assert torch.allclose(w, weights(one)[name], atol=1e-6 + 0.02 * moved[name]), name


@pytest.fixture(scope="module")
def untrained(examples, tmp_path_factory):
    return fit(examples, tmp_path_factory.mktemp("base"), TrainerSettings(), **{**LORA, "lr": 1e-12})


def test_two_devices_train_to_the_weights_of_one_up_to_rounding(two, one, untrained):
    trained, said, _ = two
    assert "some devices are idle" in "".join(said)  # 60 tokens: some batches are one row
    require_near(trained, one, untrained)
    assert all(s.throughput is not None and s.throughput.tokens_per_second > 0 for s in trained.curve)


@pytest.mark.slow
def test_shared_out_weights_train_to_those_of_one_device(shared_out, one, untrained):
    """FSDP2, and the LoRA that two processes save is that of one."""
    trained, _ = shared_out
    require_near(trained, one, untrained)
    mine, whole = (load_file(Path(t.checkpoint.adapter) / "adapter_model.safetensors") for t in (trained, one))
    assert {k: v.shape for k, v in mine.items()} == {k: v.shape for k, v in whole.items()}
    assert all(torch.allclose(v, whole[k], atol=1e-4) for k, v in mine.items())


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"gradient_checkpointing": True}, {"supervised_logits": True}])
def test_shared_out_weights_know_what_saves_memory(examples, one, untrained, tmp_path, how):
    require_near(fit(examples, tmp_path, SHARED_OUT, **LORA, **how), one, untrained)


@pytest.mark.slow
@pytest.mark.parametrize("machine", [TWO, SHARED_OUT], ids=["ddp", "fsdp"])
def test_rows_in_parts_that_no_device_has_equally_many_of(examples, tmp_path, machine):
    """A step of seven rows in parts of one: the first device has four passes, and the second one has three."""
    how = {"schedule": Epochs(epochs=1, batch_size=7), "method": "lora", "lora_dropout": 0.0}
    whole, base = (
        fit(examples, tmp_path / n, TrainerSettings(), **how, lr=lr) for n, lr in [("a", 2e-3), ("b", 1e-12)]
    )
    require_near(fit(examples, tmp_path / "two", machine, **how, micro_batch=1), whole, base)


@pytest.mark.slow
def test_all_weights_can_be_shared_out(examples, tmp_path):
    whole = fit(examples, tmp_path / "one", TrainerSettings())
    base = fit(examples, tmp_path / "base", TrainerSettings(), lr=1e-12)
    require_near(fit(examples, tmp_path / "two", SHARED_OUT), whole, base)


@pytest.mark.slow
@pytest.mark.parametrize("machine", [TWO, SHARED_OUT], ids=["ddp", "fsdp"])
def test_a_resumed_fit_on_two_devices_has_the_same_weights(examples, two, shared_out, tmp_path, caplog, machine):
    whole, resume = (two[0], two[2]) if machine is TWO else shared_out
    points = sorted(resume.glob("*.ckpt"))
    assert [torch.load(p, weights_only=True)["global_step"] for p in points] == [3, 5]
    (tmp_path / "resume").mkdir()
    for file in (points[0], resume / "interval.json"):
        shutil.copy(file, tmp_path / "resume")
    with caplog.at_level("INFO"):
        again = fit(examples, tmp_path, machine, **LORA)
    assert "continues after step 3" in caplog.text
    assert again.checkpoint.digest == whole.checkpoint.digest
    assert [(s.step, s.loss, s.tokens) for s in again.curve] == [(s.step, s.loss, s.tokens) for s in whole.curve]


NODES = (
    "sh -c 'for n in 0 1; do torchrun --nnodes 2 --node-rank $n --rdzv-backend c10d --rdzv-endpoint 127.0.0.1:{port} "
    "--nproc-per-node {devices} -m sei.lit.worker {job} & done; wait'"
)


@pytest.mark.slow
@pytest.mark.parametrize("machine", [TWO, SHARED_OUT], ids=["ddp", "fsdp"])
def test_two_machines_of_one_device_train_as_one_of_two(examples, two, shared_out, tmp_path, machine):
    nodes = replace(machine, devices=1, num_nodes=2, launch=NODES)
    whole = two[0] if machine is TWO else shared_out[0]
    assert fit(examples, tmp_path, nodes, **LORA).checkpoint.digest == whole.checkpoint.digest


def test_dropout_draws_anew_at_each_step_and_device(monkeypatch):
    """Dropout differs between steps and devices, and is the same after a resume."""

    def drawn(step, rank):
        module = RankCausalLM(torch.nn.Linear(1, 1), seed=1, steps=None, shard=False)
        module.curve = [(0.0, 1)] * step
        monkeypatch.setattr(RankCausalLM, "global_rank", rank)
        module.on_train_batch_start({}, 0)
        return float(torch.rand(1))

    first = [drawn(step, rank) for step in range(3) for rank in range(2)]
    assert len(set(first)) == 6
    assert [drawn(step, rank) for step in range(3) for rank in range(2)] == first


@pytest.mark.slow
@pytest.mark.parametrize("machine", [TWO, SHARED_OUT], ids=["ddp", "fsdp"])
def test_an_infinite_loss_ends_a_fit_on_two_devices_as_itself(examples, tmp_path, machine):
    trained = fit(examples, tmp_path / "a", TrainerSettings())
    file = Path(trained.checkpoint.folder) / "model.safetensors"
    held = load_file(file)
    name = next(n for n in held if "norm" in n)
    held[name][0] = float("nan")
    save_file(held, file, metadata={"format": "pt"})
    start = replace(trained.checkpoint, digest=folder_digest(file.parent))
    with pytest.raises(NumericError, match=r"loss is nan at step 1.*lr"):
        fit(examples, tmp_path / "b", machine, start=start)
    assert not (tmp_path / "b" / "model").exists()
    assert workers() == []


@pytest.mark.slow
@pytest.mark.parametrize("machine", [TWO, SHARED_OUT], ids=["ddp", "fsdp"])
def test_a_signal_ends_the_processes_too(examples, tmp_path, monkeypatch, machine):
    handlers = {s: signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)}
    catch_signals()
    steps, sent = [], []

    def advance(n):
        steps.append(n)
        if len(steps) == 2:
            sent.append(time.monotonic())
            signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)

    monkeypatch.setattr(finetune, "progress", calling(advance))
    try:
        with pytest.raises(Interruption) as e:
            fit(examples, tmp_path, machine, schedule=Epochs(epochs=300, batch_size=8))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert time.monotonic() - sent[0] < 15
    assert (e.value.code, len(steps) >= 2) == (143, True)
    assert workers() == []
    assert not (tmp_path / "model").exists()


@pytest.mark.slow
@pytest.mark.parametrize("machine", [TWO, SHARED_OUT], ids=["ddp", "fsdp"])
def test_a_launcher_that_is_told_to_end_ends_its_processes(examples, tmp_path, monkeypatch, machine):
    """As a scheduler does that ends a step: the run then says how it goes on."""
    steps, sent = [], []

    def advance(n):
        steps.append(n)
        if len(steps) == 2:
            sent.append(time.monotonic())
            (launcher,) = [p for p in workers() if "torchrun" in " ".join(p.cmdline())]
            launcher.send_signal(signal.SIGTERM)

    monkeypatch.setattr(finetune, "progress", calling(advance))
    with pytest.raises(DeviceError, match="the same command goes on from the last resume point"):
        fit(examples, tmp_path, machine, schedule=Epochs(epochs=300, batch_size=8))
    assert time.monotonic() - sent[0] < 15
    assert workers() == []
    assert not (tmp_path / "model").exists()


FIT = """
from pathlib import Path
from tests.lit import fits as t
t.finetune.progress = t.calling(lambda n: print("step", flush=True))
t.fit(t.lessons(), Path({folder!r}), schedule=t.Epochs(epochs=300, batch_size=8))
"""


@pytest.mark.slow
def test_the_processes_end_with_a_parent_that_was_killed(tmp_path):
    program = FIT.format(folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout.readline() == "step\n"
        left = [p for p in workers() if str(tmp_path) in " ".join(p.cmdline())]
        assert len(left) == 3  # the launcher and two
        parent.kill()
    assert psutil.wait_procs(left, timeout=15)[1] == []


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


OOM = "CUDA out of memory. Tried to allocate 2.00 GiB"
NCCL = "NCCL error: unhandled system error"
DYING = """
import os, signal, sys
from sei.lit import ranks, worker

class Dying(ranks.RankCausalLM):
    def on_train_batch_start(self, batch, batch_idx):
        super().on_train_batch_start(batch, batch_idx)
        if self.global_rank == 1 and batch_idx == 1:
            {end}

ranks.RankCausalLM = Dying
sys.exit(worker.main())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", ["SIGKILL", "memory"]),
        (
            f"import torch; raise torch.OutOfMemoryError({OOM!r})",
            ["more memory", "CUDA out of memory", "finetuner.micro_batch"],
        ),
        (f"raise RuntimeError({NCCL!r})", ["device 1", NCCL, "NCCL_DEBUG"]),
    ],
    ids=["killed", "out of memory", "nccl"],
)
def test_a_process_that_dies_ends_the_fit_with_what_ended_it(examples, tmp_path, end, words):
    """F30."""
    (tmp_path / "dying.py").write_text(DYING.format(end=end))
    command = f"torchrun --standalone --nproc-per-node {{devices}} {tmp_path}/dying.py {{job}}"
    start = time.monotonic()
    with pytest.raises(DeviceError) as e:
        fit(examples, tmp_path / "run", replace(TWO, launch=command), schedule=Epochs(epochs=2, batch_size=8))
    assert time.monotonic() - start < 60
    assert [w for w in [*words, "Remedy"] if w not in str(e.value)] == [], str(e.value)
    assert workers() == []


@pytest.mark.parametrize(
    ("said", "remedy"), [(OOM, "micro_batch"), (NCCL, "NCCL_DEBUG"), ("something else", "the same command")]
)
def test_the_last_words_of_a_process_stand_in_the_message(tmp_path, said, remedy):
    """F30."""
    with pytest.raises(RuntimeError), fits.telling(tmp_path, 1):
        raise RuntimeError(said)
    with pytest.raises(DeviceError) as e:
        launch._require_done(tmp_path, 1, "the fine-tune")
    assert f"device 1 (0 is the first) ended in the fine-tune: RuntimeError: {said}" in str(e.value)
    assert remedy in str(e.value).split("Remedy:")[1]


def test_an_error_of_ours_comes_back_as_itself(tmp_path):
    with pytest.raises(RuntimeError), fits.telling(tmp_path, 0):
        raise RuntimeError("connection closed by peer")  # what the others see when one refuses
    with pytest.raises(NumericError), fits.telling(tmp_path, 1):
        raise NumericError("loss is nan")
    with pytest.raises(NumericError, match="loss is nan"):
        launch._require_done(tmp_path, 1, "the fine-tune")


@pytest.mark.parametrize(("signal_name", "memory"), [("SIGKILL", True), ("SIGSEGV", False)])
def test_only_a_killed_process_wanted_memory(tmp_path, signal_name, memory):
    (tmp_path / "processes.log").write_text(f"traceback : Signal ({signal_name}) received by PID 7\n======\n")
    with pytest.raises(DeviceError) as e:
        launch._require_done(tmp_path, 1, "the fine-tune")
    assert signal_name in str(e.value)
    assert "=====" not in str(e.value)
    assert ("memory" in str(e.value), "finetuner.micro_batch" in str(e.value)) == (memory, memory)


def test_memory_that_a_process_lacks_is_told_once(tmp_path):
    with pytest.raises(DeviceError), fits.telling(tmp_path, 1):
        raise DeviceError("the fine-tune needs more memory. Remedy: less.")
    with pytest.raises(DeviceError, match=r"^the fine-tune needs more memory\. Remedy: less\.$"):
        launch._require_done(tmp_path, 1, "the fine-tune")


def test_a_launcher_that_ends_without_weights_is_no_success(tmp_path):
    (tmp_path / "processes.log").write_text("srun: error: nothing to do\n")
    with pytest.raises(DeviceError, match=r"exit code 0: srun: error: nothing to do"):
        launch._require_done(tmp_path, 0, "the fine-tune", tmp_path / "weights.pt")


def test_a_curve_is_read_while_it_is_written(tmp_path):
    writer, reader, followed = Curve(tmp_path), Curve(tmp_path), Followed()
    assert list(reader.news()) == []
    writer.step(0.5, 7)
    writer.speed(1, Throughput(seconds=1.0, tokens_per_second=7.0, padding=0.0, peak_gib=0.0))
    with writer.file.open("a") as f:
        f.write('{"loss": 0.25, ')
    assert [followed.take(x) for x in reader.news()] == [1, 0]
    with writer.file.open("a") as f:
        f.write('"tokens": 8}\n')
    assert [followed.take(x) for x in reader.news()] == [1]
    assert (followed.curve, list(followed.speeds)) == ([(0.5, 7), (0.25, 8)], [1])


def test_a_part_goes_through_json_and_comes_back_the_same():
    stage = Finetune(target=TINY, trainer=SHARED_OUT, schedule=TokenBudget(), method="lora", lora_targets="all-linear")
    assert build(json.loads(json.dumps(node_of(stage))), "finetuner", ()) == stage


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"launch": "torchrun"}, ["trainer.launch='torchrun'", "sei.lit.worker", "--standalone"]),
        ({"launch": "torchrun '{job}"}, ["trainer.launch", "quotation"]),
        ({"num_nodes": 2}, ["trainer.num_nodes=2", "--standalone", "srun"]),
        ({"precision": "16-mixed"}, ["fsdp", "16-mixed", "bf16"]),
        ({"strategy": "auto"}, ["trainer.devices=2", "trainer=fsdp"]),
    ],
)
def test_a_machine_that_cannot_be_is_refused(settings, words):
    with pytest.raises(ConfigError) as e:
        replace(SHARED_OUT, **settings)
    assert [w for w in words if w not in str(e.value)] == []


def test_a_missing_launcher_is_named_before_the_run():
    with pytest.raises(ConfigError, match="the program 'nothere' is not on this machine"):
        replace(TWO, launch="nothere {job}").preflight()


def test_the_places_of_a_launcher_are_filled_in(tmp_path):
    words = words_of("torchrun a{port} b{port} {devices} {nodes} {job}", devices=3, nodes=2, job=tmp_path)
    assert words[0] == str(Path(sys.executable).parent / "torchrun")
    assert words[1][1:] == words[2][1:]
    assert words[3:] == ["3", "2", str(tmp_path)]


@pytest.mark.parametrize(("held", "nodes", "words"), [("1", 2, "sbatch --nodes=2"), ("2", 2, ""), ("4", 2, "uses 2")])
def test_the_machines_of_a_slurm_job_are_known(monkeypatch, caplog, held, nodes, words):
    monkeypatch.setenv("SLURM_JOB_NUM_NODES", held)
    machine = replace(TWO, num_nodes=nodes, launch="torchrun {job}")
    if int(held) < nodes:
        with pytest.raises(ConfigError, match=words):
            machine.preflight()
        return
    with caplog.at_level("WARNING"):
        machine.preflight()
    assert (words in caplog.text) if words else not caplog.text


@pytest.mark.parametrize(("held", "said"), [("4", "4 GPUs on this machine, of which the fine-tune uses 2"), ("2", "")])
def test_idle_gpus_of_a_slurm_job_are_told(monkeypatch, caplog, held, said):
    monkeypatch.setenv("SLURM_GPUS_ON_NODE", held)
    TWO.preflight()
    assert said in caplog.text
    assert bool(said) == bool(caplog.text)


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
