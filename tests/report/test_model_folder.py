"""``model/``: the code in its cards gives, in a new process, the logits of the run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard

from sei.data.arithmetic import Arithmetic
from sei.finetuners.supervised import Finetune
from sei.lit.batches import TokenBudget
from sei.lit.trainer import TrainerSettings
from sei.records import Checkpoint, TrainingExample
from sei.report import console
from sei.report.ledger import LastTrained
from sei.report.model_folder import instead, write_model
from tests.builders import TINY
from tests.conftest import ROOT
from tests.report.cards import code_of, origin
from tests.report.run_folders import scores

IDS = [[5, 9, 14, 3, 21, 8]]
FRESH = """
import json, os, sys, torch
torch.set_num_threads(1)
for folder, code, out in json.load(sys.stdin):
    os.chdir(folder)
    found = {{}}
    exec(code, found)
    assert not found["model"].training
    with torch.no_grad():
        torch.save(found["model"](torch.tensor({ids})).logits, out)
"""


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor(IDS)).logits


def fresh_logits(*homes: Path) -> list[torch.Tensor]:
    """Run the code in the cards of folders in a new process, each in its folder."""
    jobs = [(str(h), code_of(h / "README.md"), str(h / "logits.pt")) for h in homes]
    done = subprocess.run(
        [sys.executable, "-c", FRESH.format(ids=IDS)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [torch.load(out) for _, _, out in jobs]


def trained(folder: Path, method: str, start: Checkpoint) -> Checkpoint:
    pool = Arithmetic(pool=10, dev=10, test=10).load().pool
    examples = tuple(TrainingExample(id=p.id, question=p.question, solution=p.solution, source="warm_up") for p in pool)
    stage = Finetune(
        target=TINY,
        trainer=TrainerSettings(),
        schedule=TokenBudget(steps=2, tokens_per_step=100),
        method=method,
        lr=1e-2,
    )
    return stage(start, examples, seed=0, folder=folder).checkpoint


@pytest.fixture(scope="module", params=["on the base", pytest.param("on a warm-up", marks=pytest.mark.slow)])
def exported(request, tmp_path_factory) -> tuple[Path, Checkpoint]:
    home = tmp_path_factory.mktemp("run")
    start = TINY.base()
    if request.param == "on a warm-up":
        start = trained(home / "warm_up", "full", start).merged()
    checkpoint = trained(home / "made", "lora", start)
    (home / "model").mkdir()
    (home / "model" / "old.safetensors").touch()
    write_model(home, checkpoint, scores(100), origin(), best_round=2)
    return home / "model", checkpoint


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # peft uses the old name
def test_model_and_adapter_load_afresh_with_equal_logits(exported):
    home, checkpoint = exported
    assert not (home / "old.safetensors").exists()
    with TINY.open(checkpoint) as opened:
        merged = logits(opened.model)
    with TINY.open(checkpoint, keep_adapter=True) as opened:
        apart = logits(opened.model)
    with TINY.open(checkpoint.onto) as opened:
        untrained = logits(opened.model)
    fresh_merged, fresh_apart = fresh_logits(home, home / "adapter")
    assert torch.equal(fresh_merged, merged)
    assert torch.equal(fresh_apart, apart)
    torch.testing.assert_close(apart, merged, rtol=1e-4, atol=1e-4)
    assert (merged - untrained).abs().max() > 1e-3


def test_the_cards_say_what_they_belong_to(exported):
    home, checkpoint = exported
    merged, adapter = (ModelCard.load(p / "README.md") for p in (home, home / "adapter"))
    assert merged.data.library_name == "transformers"
    assert adapter.data.library_name == "peft"
    assert checkpoint.digest in merged.text
    assert "round 2" in adapter.text
    assert ("warm-up" in adapter.text) == (checkpoint.onto.kind == "full")
    assert str(home.parent) not in merged.content + adapter.content
    assert str(home.parent) not in (home / "adapter" / "adapter_config.json").read_text()


@pytest.mark.parametrize(
    ("more", "words", "n"),
    [
        ({}, "Greedy, asked with", "80"),
        (
            {"samples": 8, "temperature": 0.8},
            "8 answers to each problem, drawn at temperature 0.8, asked with",
            "10 x 8",
        ),
        ({"temperature": 0.8}, "One answer to each problem, drawn at temperature 0.8, asked with", "80"),
    ],
)
def test_the_card_says_how_the_answers_were_drawn(tmp_path, more, words, n):
    """Drawn answers were called greedy, and eight answers to each of ten problems 80 problems."""
    score = replace(scores(30)["test_set"], n=80, samples=more.get("samples", 1))
    write_model(tmp_path, Checkpoint(digest="x"), {"near": score}, origin(**more), best_round=0)
    card = (tmp_path / "model" / "README.md").read_text()
    assert words in card
    assert re.search(rf"\| near \| in\S+ \| {n} \|", card)


def test_a_base_that_wins_names_the_last_trained_weights(tmp_path, capsys):
    last = LastTrained(round=3, weights="/a store/finetune/x/files/model")
    write_model(tmp_path, TINY.base(), scores(100), origin(), best_round=0, last=last)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "cp -r '/a store/finetune/x/files/model' ../last_round" in card
    assert "Round 3 was not better than the base on dev" in card
    ending = console.Ending(best=0, stopped="rounds", last=instead(last))
    console.show([("base", scores(100)), ("round 3", scores(90))], ending, tmp_path, 1, 0)
    said = capsys.readouterr().out
    assert "the base, no round was better; the weights of round 3 are in /a store/finetune/x/files/model" in said
    write_model(tmp_path, TINY.base(), scores(100), origin(), best_round=0, last=None)
    assert "last trained" not in (tmp_path / "model" / "README.md").read_text()
