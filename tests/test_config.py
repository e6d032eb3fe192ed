from __future__ import annotations

from itertools import product

import pytest
from omegaconf import OmegaConf

from sei.__main__ import CONF, check
from sei.build import build
from sei.errors import ConfigError
from sei.parts import is_part
from sei.store import digest
from tests.compose import built, composed

GROUPS = sorted(p.name for p in CONF.iterdir() if p.is_dir() and p.name != "hydra")
OPTIONS = [(g, f.stem) for g in GROUPS for f in sorted((CONF / g).glob("*.yaml"))]


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_yaml_on_disk_composes_and_builds(group, option):
    beside = ["instructor=openai_compatible"] if "instructor: ${instructor}" in needs(group, option) else []
    beside += ["engine.max_new_tokens=64"] if option == "jsonl" else []
    beside += ["model.source=packaged:tiny_l"] if (group, option) == ("model", "own") else []
    assert all(is_part(p) for p in built(f"{group}={option}", *beside).values())


def test_more_devices_for_the_fine_tune_keep_the_answers():
    one, two = (built(f"trainer={t}")["method"] for t in ("gpu", "ddp"))
    assert digest(one.attempt) == digest(two.attempt)
    assert digest(one.finetune) != digest(two.finetune)
    assert digest(built("trainer.precision=bf16-true")["method"].attempt) != digest(built()["method"].attempt)


def needs(group, option):
    """Return the text that an option needs and the embedded instructor does not support; empty for all others."""
    remote = {("clusterer", "llm"), ("synthesizer", "metamath"), ("synthesizer", "evol_instruct")}
    return (CONF / group / f"{option}.yaml").read_text() if (group, option) in remote else ""


def test_the_llm_clusterer_needs_a_remote_instructor():
    with pytest.raises(
        ConfigError, match=r"clusterer=llm needs a remote instructor.*SymbolicInstructor.*instructor=gpt4o"
    ):
        built("clusterer=llm")


@pytest.mark.parametrize(
    ("overrides", "task"),
    [
        (["synthesizer=metamath"], "rephrase, self_verification, fobar"),
        (["synthesizer=evol_instruct"], "evolve_upward, evolve_downward"),
        (["synthesizer=learning_from_error", "synthesizer.contrast=true"], "contrast"),
    ],
)
def test_rewriting_and_contrast_need_a_remote_instructor(overrides, task):
    with pytest.raises(ConfigError, match=rf"synthesizer=.*{task}.*SymbolicInstructor.*instructor=gpt4o.*or synth"):
        built(*overrides)
    built(*overrides, "instructor=openai_compatible")


def test_every_experiment_starts_with_its_question_and_command():
    for path in (CONF / "experiment").glob("*.yaml"):
        head = path.read_text().split("defaults:")[0].split("name:")[0]
        assert "Question:" in head
        assert "Command:" in head


@pytest.mark.parametrize("share", [pytest.param(1, marks=pytest.mark.slow), 7], ids=["all", "a seventh"])
def test_every_ablation_with_every_experiment_still_composes(share):
    names = sorted(f.stem for f in (CONF / "experiment").glob("*.yaml"))
    ablations = [o for g, o in OPTIONS if g == "ablation"]
    for (i, e), (j, a) in product(enumerate(names), enumerate(ablations)):
        if (i + j) % share == 0:  # with a seventh, every option of both kinds is tested
            assert all(is_part(p) for p in built(f"experiment={e}", f"ablation={a}").values())


def test_an_ablation_wins_over_an_experiment():
    """An ablation overrides an experiment, and the command line overrides both."""
    cfg, _ = composed("ablation=single_round")
    assert cfg.rounds == 1
    cfg, choices = composed("experiment=smollm2_words", "ablation=no_refinement")
    assert choices["refiner"] == "none"
    cfg, _ = composed("ablation=double_data", "seed=7")
    assert (cfg.budget_scale, cfg.seed) == (2, 7)


@pytest.mark.parametrize("name", [o for g, o in OPTIONS if g == "ablation"])
def test_an_ablation_changes_what_it_says_and_nothing_else(name):
    cfg, choices = composed(f"ablation={name}")
    usual, usual_choices = composed()
    said = dict(cfg.ablation.sets)
    swapped = {k for k, v in choices.items() if "@" not in k and usual_choices[k] != v} - {"ablation"}
    changed = {k: OmegaConf.select(cfg, k) for k in said}
    assert said == {**changed, **{k: choices[k] for k in said if k in choices}}
    assert all(OmegaConf.select(usual, k) != v for k, v in changed.items())
    for key in said:
        OmegaConf.update(cfg, key, OmegaConf.select(usual, key), merge=False)
    cfg.ablation = usual.ablation
    assert OmegaConf.to_container(cfg) == OmegaConf.to_container(usual)
    assert swapped == {k for k in said if k in choices}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["rounds=-1"], ["rounds", "-1", "at least 0"]),
        (["rounds=two"], ["rounds", "two", "whole number"]),
        (["rounds=1.5"], ["rounds", "1.5"]),
        (["seed=-1"], ["seed", "-1"]),
        (["name=../x"], ["name", "../x"]),
        (["refiner.keep=2"], ["refine.keep", "2", "less than or equal to 1"]),
        (["finetuner.lr=fast"], ["lr", "fast", "number"]),
        (["trainer.accelerator=tpu"], ["accelerator", "tpu", "'cpu', 'gpu' or 'auto'"]),
        (["data.pool=3"], ["data.pool", "3", "10"]),
        (["+clusterer.colour=red"], ["colour", "Unexpected", "max_types"]),
        (["clusterer=ward", "clusterer.min_types=20", "clusterer.max_types=5"], ["min_types=20", "max_types=5"]),
        (["clusterer=kmeans", "clusterer.min_types=31"], ["min_types=31", "max_types=30"]),
        (["clusterer=agglomerative", "clusterer.max_types=5", "clusterer.min_types=6"], ["min_types=6", "max_types=5"]),
        (["+colour=red"], ["colour", "unknown key"]),
        (["clusterer._target_=os.system"], ["os.system", "plugins"]),
        (["clusterer._target_=sei.store.Store"], ["sei.store.Store", "not a part"]),
        (["clusterer._target_=sei.stages.clusterers.Spectral"], ["Spectral", "no such part"]),
        (["ablation=no_clustering", "clusterer=agglomerative"], ["clusterer", "no_clustering", "none"]),
        (["ablation=single_round", "rounds=3"], ["rounds", "single_round", "1"]),
        (["ablation=double_data", "budget_scale=1"], ["budget_scale", "double_data"]),
        (["cluster.exemplar_share=1"], ["cluster.exemplar_share=1", "OneShotStep", "refiner=none"]),
        (["model.source=packaged:large"], ["packaged:large", "tiny_l"]),
        (["model.source=/no/such/folder"], ["/no/such/folder"]),
    ],
)
def test_what_cannot_run_is_refused_with_key_value_and_rule(overrides, words):
    with pytest.raises(ConfigError) as e:
        built(*overrides)["model"].base()
    for word in words:
        assert word in str(e.value)


def test_building_opens_no_file_of_weights(monkeypatch):
    import sei.models.target

    read = []
    monkeypatch.setattr(sei.models.target, "_DIGESTS", {})  # values read by other tests in this process
    monkeypatch.setattr(sei.models.target, "file_digest", lambda path: read.append(path) or "x")
    model = built()["model"]
    assert read == []
    model.base()
    assert read != []


def test_all_stages_share_one_instructor_with_one_ledger():
    method = built("instructor=openai_compatible", "clusterer=llm")["method"]
    assert method.diagnose.instructor is method.synthesize.instructor is method.cluster.clusterer.instructor


MISFITS = {
    "clusterer": (
        "def group(self, banana): return None",
        r"clusterer=.*Mine\.group\(self, banana\) does not fit Clust",
    ),
    "refiner": (
        "def scores(self, given, kept, more): return []",
        r"scorer=.*Mine\.scores\(self, given, kept, more\) does",
    ),
    "finetuner": (
        "def __call__(self, start): return None",
        r"finetune=.*Mine\.__call__\(self, start\) does not fit Fine",
    ),
    "synthesizer": (
        "def __call__(self, error_map, pool, screen, round, *, seed): return None",
        r"synthesize=.*has no return annotation",
    ),
}


@pytest.mark.parametrize("group", MISFITS)
def test_a_part_that_does_not_fit_its_protocol_is_refused(group, tmp_path, monkeypatch):
    method, words = MISFITS[group]
    (tmp_path / f"mine_{group}.py").write_text(
        "from typing import ClassVar\nfrom sei.parts import part\n\n"
        f"@part\nclass Mine:\n    version: ClassVar[int] = 1\n    {method}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    cfg, choices = composed(f"plugins=[mine_{group}]")
    plain = check(cfg, choices)
    where = {"clusterer": ("cluster", "clusterer"), "refiner": ("method", "refine")}
    holder, key = where.get(group, ("method", {"finetuner": "finetune", "synthesizer": "synthesize"}.get(group)))
    plain[holder][key] = {"_target_": f"mine_{group}.Mine"}
    with pytest.raises(ConfigError, match=words):
        build(plain[holder], holder, tuple(plain["plugins"]))


def test_the_length_of_an_answer_follows_the_data_or_is_asked():
    assert composed("data=math")[0].engine.max_new_tokens == 1024
    assert composed()[0].engine.max_new_tokens == 96
    cfg, choices = composed("data=jsonl")
    with pytest.raises(
        ConfigError, match=r"engine.max_new_tokens=None: data=jsonl sets no length limit .*engine.max_new_tokens=512"
    ):
        check(cfg, choices)
    assert check(*composed("data=jsonl", "engine.max_new_tokens=300"))["engine"]["max_new_tokens"] == 300
