"""Whole runs with the real vLLM for CPUs, as instructor and as engine: ``make slow``; prints numbers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pydantic
import pytest

from sei.engines.lightning import LightningEngine
from sei.grading import MathGrader
from sei.lit.trainer import TrainerSettings
from sei.models.target import TargetModel
from sei.prompts import asked
from sei.records import Graded, Trained
from tests.conftest import ROOT
from tests.models import real_vllm
from tests.servers import counted, ok, served
from tests.vllm_server import SERVE, smollm2, vllm

__all__ = ["smollm2", "vllm"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


def servers_of(store: Path) -> list[str]:
    """Return the command lines of servers whose weights are in a store."""
    lines = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    return [line for line in lines if "vllm serve" in line and str(store) in line]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def starts(run: Path) -> int:
    return len(re.findall(r"starting .*vllm serve", (run / "sei.log").read_text()))


@pytest.mark.parametrize(("rounds", "merged"), [(3, 0), (1, 16)])
def test_a_run_with_vllm_in_both_roles(vllm, smollm2, sei, shared_data, tmp_path, rounds, merged):
    """One start serves the student of all rounds; verdicts are those of this process on the same weights.

    The training rows are the pool's own, because a teacher of 135M leaves later rounds without a candidate. ``merged``:
    so many answers are asked of the merged weights too, in a server of their own.
    """
    (tmp_path / "conf" / "synthesizer").mkdir(parents=True)
    (tmp_path / "conf" / "synthesizer" / "gold_pairs.yaml").write_text("_target_: tests.gold_pairs.GoldPairs\n")
    command = f"{vllm} {SERVE} {real_vllm.FLAGS}"
    with served(f"{command} --served-model-name local", str(smollm2), tmp_path / "server.log") as url:
        own = ("engine=openai_server", f"engine.command='{command}'", "engine.startup=1500", f"model.source={smollm2}")
        how_long = (f"rounds={rounds}", f"engine.compare_merged={merged}")
        settings = ("experiment=local_teacher", "tracker=local", f"instructor.base_url={url}", *own, *how_long)
        size = ("data.pool=16", "data.warm_up=80", "data.dev=10", "data.test=20", "data.svamp=10", "patience=0")
        data = {"SEI_DATA": str(shared_data), "timeout": 6000}
        short = ("finetuner.schedule.tokens_per_step=60", "max_unreadable=1")
        warm_up = ("method.warm_up.schedule.steps=8", "method.warm_up.schedule.tokens_per_step=60")
        written = (f"--config-dir={tmp_path / 'conf'}", "plugins=[tests]", "synthesizer=gold_pairs")
        done = sei(*settings, *size, *short, *warm_up, *written, "refiner=none", PYTHONPATH=str(ROOT), **data)
        ok(done)
    run = sei.last_run("local_teacher")
    for n in range(1, rounds + 1):
        print(json.dumps(json.loads((run / f"round_{n}" / "report.json").read_text()), indent=1))
    assert starts(run) == (2 if merged else 1)
    assert "takes no response format" not in (run / "sei.log").read_text()
    assert servers_of(sei.store) == []
    same, judged = compared(run, sei.store, TargetModel(name="smollm2", source=str(smollm2), template="chat"))
    print(f"{same} of {judged} verdicts equal")
    assert judged == rounds * 40
    assert same >= 0.98 * judged
    if merged:
        rows = [json.loads(x) for x in (run / "round_1" / "served_vs_merged.jsonl").read_text().splitlines()]
        print(f"{sum(r['served'] == r['merged'] for r in rows)} of {len(rows)} answers are those of merged weights")
        assert len(rows) == merged
        assert all(r["served_verdict"] == r["merged_verdict"] for r in rows)


def compared(run: Path, store: Path, target: TargetModel) -> tuple[int, int]:
    """Ask the merged weights of every round in this process; return the number of equal verdicts, and of all."""
    grader, same, judged = MathGrader(), 0, 0
    engine = LightningEngine(trainer=TrainerSettings(), batch_size=16, max_new_tokens=80)
    for number, checkpoint in enumerate(trained(store)[1:], 1):  # the first is the warm-up
        rows = pydantic.TypeAdapter(list[Graded]).validate_json(
            f"[{','.join((run / f'round_{number}' / 'evaluation.jsonl').read_text().splitlines())}]"
        )
        problems = [g.attempt.problem for g in rows]
        with engine.open(target, checkpoint) as opened:
            texts = opened.prompts([asked(p.question, p.options) for p in problems])
            answers = sorted(engine.answer(opened, texts, frozenset(), "x"))
        texts_equal = 0
        for g, p, a in zip(rows, problems, answers, strict=True):
            verdict = grader.grade(p, a.text, finished=a.finished).verdict
            judged, same = judged + 1, same + (verdict == g.verdict)
            texts_equal += a.text == g.attempt.output
            if a.text != g.attempt.output:
                print(number, p.id, (g.verdict, verdict), (g.attempt.output, a.text))
        print(f"round {number}: {texts_equal} of {len(rows)} texts equal, {Counter(g.verdict for g in rows)}")
    return same, judged


def trained(store: Path):
    """Return the checkpoints in a store, in the order in which they were made."""
    found = [p for p in store.glob("*/*/entry.json") if '"checkpoint"' in (p.parent / "result.jsonl").read_text()]
    found.sort(key=lambda p: json.loads(p.read_text())["created"])
    texts = [(p.parent / "result.jsonl").read_text().replace("store://", f"{store}/") for p in found]
    return [pydantic.TypeAdapter(Trained).validate_json(t).checkpoint for t in texts]


def test_one_server_is_student_and_teacher(vllm, smollm2, sei, shared_data, tmp_path, monkeypatch):
    """As docs/instructors.md says: the teacher is the base, the student the base and then its LoRA."""
    monkeypatch.setenv("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "True")
    flags = f"{real_vllm.FLAGS} --served-model-name local --enable-lora --max-lora-rank 16"
    with served(f"{vllm} {SERVE} {flags}", str(smollm2), tmp_path / "server.log") as url:
        own = ("engine=openai_server", "engine.command=null", f"engine.url={url}", "engine.adapters=served")
        teacher = ("experiment=local_teacher", "tracker=local", f"instructor.base_url={url}")
        size = ("data.warm_up=0", "data.pool=20", "data.dev=10", "data.test=10", "data.svamp=0", "max_unreadable=1")
        ok(sei(*teacher, *own, *size, f"model.source={smollm2}", SEI_DATA=str(shared_data), timeout=3000))
        log = (tmp_path / "server.log").read_text()
    print(json.dumps(counted(sei.last_run("local_teacher")), indent=1))
    assert log.count("Loaded new LoRA adapter") == 1


def test_a_killed_run_leaves_no_server(vllm, smollm2, shared_data, tmp_path):
    """The run is killed while the server answers, and so holds the weights."""
    own = ("engine=openai_server", f"engine.command='{vllm} {SERVE} {real_vllm.FLAGS}'", f"model.source={smollm2}")
    settings = ("experiment=smollm2_words", "tracker=local", "rounds=0", "data.warm_up=0", "engine.startup=1500")
    env = {**os.environ, "SEI_STORE": str(tmp_path / "store"), "SEI_DATA": str(shared_data)}
    with (tmp_path / "out").open("wb") as out:
        run = subprocess.Popen(
            [sys.executable, "-m", "sei", *settings, *own], cwd=tmp_path, env=env, stdout=out, stderr=out
        )
    until = time.monotonic() + 1500
    while time.monotonic() < until and not any(p.stat().st_size for p in tmp_path.glob("store/*/*/rows.jsonl")):
        assert run.poll() is None, (tmp_path / "out").read_text()[-2000:]
        time.sleep(0.2)
    started = psutil.Process(run.pid).children(recursive=True)
    assert any("EngineCore" in f"{p.name()} {' '.join(p.cmdline())}" for p in started)
    run.send_signal(signal.SIGKILL)
    run.wait()
    killed = time.monotonic()
    while time.monotonic() < killed + 60 and alive(started):
        time.sleep(0.2)
    print(f"no process is left after {time.monotonic() - killed:.1f} s")
    assert alive(started) == []
