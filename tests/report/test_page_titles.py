"""Names on a page: the target model by its weights, a sweep by its methods, settings with their true defaults."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from sei.__main__ import CONF, keep_defaults
from sei.report.page.build import gather
from sei.report.page.config import DEFAULTS
from sei.report.page.model import named
from sei.report.page.sweep import gather_sweep
from tests.compose import composed
from tests.report.run_folders import make_run
from tests.report.sweep_folders import make_sweep, summary


@pytest.mark.parametrize(
    ("name", "source", "shown"),
    [
        ("tiny", "packaged:tiny_l", "tiny"),
        ("tiny", "/models/my-qwen/", "my-qwen"),  # model.source=... does not change the name
        ("tiny", "Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B"),
        ("tiny", "./models/mine", "mine"),
        ("tiny", "packaged:tiny_h", "tiny_h"),
        ("mine", "/models/x", "mine"),
        ("llama3_8b", "meta-llama/Meta-Llama-3-8B-Instruct", "llama3_8b"),
    ],
)
def test_a_model_is_called_what_its_weights_are(name, source, shown):
    said = {"name": name, "source": source, "revision": None}
    assert named(said, {}) == {"name": shown, "source": source, "revision": ""}
    assert named(None, {"model": {**said, "revision": "abc"}})["revision"] == "abc"


def test_a_page_without_a_word_on_the_model_is_drawn(tmp_path):
    assert gather(make_run(tmp_path / "run", 5))["model"] == {}


def write_config(folder: Path, *overrides: str) -> None:
    cfg, choices = composed(*overrides)
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(OmegaConf.to_yaml(cfg))
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(list(overrides)))
    (folder / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump({"hydra": {"runtime": {"choices": choices}}}))


def keep(folder: Path) -> None:
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        keep_defaults(folder)


def test_every_setting_that_is_not_at_its_default_is_told(tmp_path):
    home = make_run(tmp_path / "run", 5)
    write_config(home, "refiner=random", "finetuner.lr=0.25", "experiment=smoke", "seed=0", "near_duplicate=0.9")
    keep(home)
    config = gather(home)["config"]
    told = {k: (v, usual) for k, v, usual in config["settings"]}
    assert config["true"]
    assert told["finetuner.lr"] == ("0.25", "0.0005")
    assert told["data.pool"] == ("120", "600")
    assert not {"seed", "near_duplicate"} & told.keys()  # set to the default, which is 0.9 for data=arithmetic
    assert {k: usual for k, _, usual, differs in config["parts"] if differs} == {
        "refiner": "one_shot_step", "experiment": None
    }  # fmt: skip
    marked = [line for line, mark in config["lines"] if mark]
    assert "  lr: 0.25" in marked
    assert "near_duplicate: 0.9" not in marked


def test_a_run_at_its_defaults_differs_in_nothing(tmp_path):
    home = make_run(tmp_path / "run", 5)
    write_config(home)
    keep(home)
    config = gather(home)["config"]
    assert config["settings"] == []
    assert not any(differs for *_, differs in config["parts"])
    assert not any(mark for _, mark in config["lines"])


def test_defaults_are_kept_beside_the_config_alone(tmp_path):
    keep(tmp_path)
    assert not (tmp_path / DEFAULTS).exists()


def test_settings_of_a_part_that_is_no_default_have_none(tmp_path):
    home = make_run(tmp_path / "run", 5)
    write_config(home, "clusterer=hdbscan")
    keep(home)
    told = {k: usual for k, _, usual in gather(home)["config"]["settings"]}
    assert told["clusterer.noise"] == ""
    assert "clusterer._target_" not in told


def test_a_sweep_is_told_by_its_methods_and_what_is_varied(tmp_path):
    jobs = []
    for arm in ("refiner=none", "clusterer=none", "seed=0"):
        for seed in (0, 1):
            jobs.append((["experiment=smoke", arm, f"seed={seed}"], "done", summary(seed, [80, 90], 1)))
    home = make_sweep(tmp_path / "sweep", jobs)
    for i, (overrides, *_) in enumerate(jobs):
        write_config(home / str(i), *overrides)
    data = gather_sweep(home)
    assert data["methods"] == ["no refinement", "no error types", "Self-Error-Instruct"]
    assert [s["method"] for s in data["settings"]] == data["methods"]
    assert [(v["setting"], v["values"]) for v in data["varied"]] == [("refiner", 2), ("clusterer", 2), ("seed", 2)]


def test_a_sweep_that_has_not_begun_has_no_names_of_methods(tmp_path):
    home = make_sweep(tmp_path / "sweep", [([f"rounds={n}"], "running", None) for n in (1, 2)])
    data = gather_sweep(home)
    assert data["methods"] == []
    assert data["varied"] == [{"setting": "rounds", "values": 2}]


def test_no_name_of_a_method_shows_a_key(tmp_path):
    home = make_sweep(tmp_path / "sweep", [([f"x={n}"], "done", summary(0, [80, 90], 1)) for n in (1, 2)])
    for n, secret in ((0, "abc123"), (1, "xyz789")):
        write_config(home / str(n), f"+model.token={secret}")
    data = gather_sweep(home)
    assert "abc123" not in str(data)
    assert "xyz789" not in str(data)


def test_the_base_of_a_sweeps_jobs_counts_in_their_time(tmp_path):
    home = make_sweep(tmp_path / "sweep", [(["seed=0"], "done", summary(0, [80, 90], 1))])
    before = gather_sweep(home)["settings"][0]["cost"]["making"]["mean"]
    (home / "0" / "base").mkdir()
    (home / "0" / "base" / "report.json").write_text('{"seconds": {"attempts": 5.5, "grade": 0.5}}')
    assert gather_sweep(home)["settings"][0]["cost"]["making"]["mean"] == before + 6.0
