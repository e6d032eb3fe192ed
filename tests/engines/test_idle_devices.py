"""A run says before it starts that answers are made on fewer devices than it has."""

from __future__ import annotations

import pytest

from sei.engines.lightning import LightningEngine
from sei.engines.openai_server import ServedEngine
from sei.engines.scale import Scale
from sei.engines.vllm import devices_of
from sei.job import _tell_of_idle_devices
from sei.lit.trainer import TrainerSettings

VLLM = "vllm serve {model} --port {port}"
EIGHT = TrainerSettings(devices=8, strategy="ddp")


@pytest.mark.parametrize(
    ("machine", "engine", "said"),
    [
        (EIGHT, LightningEngine(trainer=EIGHT), "trainer.devices=8: answers are made on 1 of them"),
        (EIGHT, ServedEngine(command=VLLM, scale=Scale(data_parallel=4)), "answers are made on 4 of them"),
        (EIGHT, ServedEngine(command=VLLM, scale=Scale(data_parallel=8)), ""),
        (EIGHT, ServedEngine(command=f"{VLLM} -tp 2", scale=Scale(data_parallel=4)), ""),
        (EIGHT, ServedEngine(url="http://x/v1"), ""),
        (TrainerSettings(), LightningEngine(trainer=TrainerSettings()), ""),
    ],
)
def test_idle_devices_are_told_with_the_remedy(caplog, machine, engine, said):
    _tell_of_idle_devices([machine, engine])
    assert said in caplog.text
    assert ("engine.scale.data_parallel" in caplog.text) == bool(said)


@pytest.mark.parametrize(
    ("words", "devices"),
    [
        ([], 1),
        (["--tensor-parallel-size=4", "--pipeline-parallel-size", "2"], 8),
        (["--tensor_parallel_size", "4"], 4),
        (["-dp", "auto"], None),
    ],
)
def test_a_command_line_says_how_many_devices_it_takes(words, devices):
    assert devices_of(["vllm", "serve", "m", *words]) == devices
