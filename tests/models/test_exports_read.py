"""Exports give the same logits and token ids in transformers 4.57 and 5; takes minutes, with a second environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from sei.finetuners.supervised import Finetune
from sei.lit.batches import TokenBudget
from sei.lit.trainer import TrainerSettings
from sei.models import portable
from sei.models.target import TargetModel
from sei.records import Checkpoint, TrainingExample
from sei.report.cards import Origin
from sei.report.model_folder import write_model
from tests.models import older
from tests.models.kinds import KINDS, write_kind
from tests.models.shapes import SHAPES, TEXTS, write_shape

IDS = torch.randint(10, 300, (2, 60), generator=torch.Generator().manual_seed(0)).tolist()
READER = Path(__file__).parent / "read_folders.py"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")]


@pytest.fixture(scope="module")
def pythons() -> dict[str, str]:
    try:
        return {"5": sys.executable, "4": str(older.python())}
    except older.NotMadeError as e:
        pytest.skip(f"no second environment: {e}")


def both(pythons: dict[str, str], folders: list[Path]) -> list[tuple[dict, dict]]:
    """Read folders with both versions."""
    found = {}
    for version, python in pythons.items():
        jobs = [{"folder": str(f), "out": f"{f}.{version}.pt", "texts": TEXTS, "ids": IDS} for f in folders]
        done = subprocess.run(
            [python, READER], input=json.dumps(jobs), capture_output=True, text=True, check=False, env={"HOME": "/"}
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found[version] = [torch.load(j["out"]) for j in jobs]
        assert all(f["version"].startswith(version) for f in found[version])
    return list(zip(found["5"], found["4"], strict=True))


def agree(name: str, five: dict, four: dict) -> None:
    assert (name, four["error"], five["error"]) == (name, "", "")
    torch.testing.assert_close(four.pop("logits"), five.pop("logits"), rtol=0, atol=1e-4, msg=lambda m: f"{name}: {m}")
    same = {k: (four[k], v) for k, v in five.items() if k != "version" and four[k] != v}
    assert (name, same) == (name, {})


def trained(target: TargetModel, home: Path, method: str, start: Checkpoint) -> Checkpoint:
    pairs = [("What is 12 + 7?", "12+7=19\n#### 19"), (TEXTS[0], TEXTS[1])] * 4
    examples = tuple(
        TrainingExample(id=str(i), question=q, solution=s, source="warm_up") for i, (q, s) in enumerate(pairs)
    )
    stage = Finetune(
        target=target,
        trainer=TrainerSettings(),
        schedule=TokenBudget(steps=2, tokens_per_step=60),
        method=method,
        lora_targets="all-linear",
        lr=1e-3,
    )
    return stage(start, examples, seed=0, folder=home).checkpoint


@pytest.fixture(scope="module")
def shapes(tmp_path_factory, pythons) -> dict[str, dict[str, tuple[dict, dict]]]:
    """For every shape, by place: a run's ``model/``, ``adapter/base/``, a server's view, an old store entry."""
    folders: dict[str, dict[str, Path]] = {}
    for name in SHAPES:
        home = tmp_path_factory.mktemp(name)
        base = write_shape(home / "hub", name, generation={"repetition_penalty": 1.3})
        target = TargetModel(name=name, source=str(base))
        warm = trained(target, home / "warm_up", "full", target.base())
        best = trained(target, home / "best", "lora", warm)
        origin = Origin(experiment="x", seed=0, config_digest="d", git_commit="", target=target)
        write_model(home, best, {}, origin, best_round=1)
        old = home / "old"
        AutoModelForCausalLM.from_pretrained(best.folder).save_pretrained(old)  # without the added settings
        AutoTokenizer.from_pretrained(base, padding_side="left").save_pretrained(old)
        assert "rope_theta" not in json.loads((old / "config.json").read_text())
        view = portable.view(old)
        folders[name] = {"model": home / "model", "adapter/base": home / "model" / "adapter" / "base",
                         "store": Path(best.folder), "view": view, "old": old}  # fmt: skip
    found = both(pythons, [f for places in folders.values() for f in places.values()])
    for places in folders.values():
        portable.discard(places["view"])
    read = iter(found)
    return {name: {place: next(read) for place in places} for name, places in folders.items()}


@pytest.mark.parametrize("name", SHAPES)
def test_every_place_is_read_alike(shapes, name):
    places = shapes[name]
    merged = places["store"][0]["logits"]
    assert torch.equal(places["model"][0]["logits"], merged)
    torch.testing.assert_close(places["view"][0]["logits"], merged, rtol=0, atol=1e-4)
    assert places["view"][0]["ids"] == places["store"][0]["ids"]
    assert not torch.equal(places["adapter/base"][0]["logits"], merged)
    assert len(places["model"][0]["eos"]) == 3
    for place in ("model", "adapter/base", "store", "view"):
        agree(f"{name} {place}", *places[place])


def test_without_mending_they_are_not(shapes):
    """With a store entry as written before: shows that the test can fail."""
    wrong = {n: p["old"] for n, p in shapes.items()}
    assert all(four["error"] for _, four in wrong.values())
    share = {n: (a["logits"].argmax(-1) == b["logits"].argmax(-1)).float().mean() for n, (a, b) in wrong.items()}
    assert {n for n, s in share.items() if s < 0.5} == set(SHAPES) - {"llama2"}  # rope_theta 10000 is 4's default


@pytest.fixture(scope="module")
def kinds(tmp_path_factory, pythons):
    home = tmp_path_factory.mktemp("kinds")
    had = {}
    for i, name in enumerate(KINDS):
        had[name] = write_kind(home / str(i), name, IDS)
        portable.mend(home / str(i))
    found = both(pythons, [home / str(i) for i in range(len(KINDS))])
    return {name: (had[name], *pair) for name, pair in zip(KINDS, found, strict=True)}


@pytest.mark.parametrize("name", KINDS)
def test_every_model_type_that_is_promised_is_read_alike(kinds, name):
    had, five, four = kinds[name]
    torch.testing.assert_close(five["logits"], had, rtol=0, atol=1e-5)
    agree(name, five, four)


def test_promised_model_types_are_the_compared_ones():
    assert {name.split(",")[0] for name in KINDS} == portable.COMPARED
