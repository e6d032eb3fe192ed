"""Wrong commands and the first line shown to the user, all through ``main`` in one process, three as commands."""

from __future__ import annotations

import logging
import re
import subprocess
import sys

import pytest
import yaml

from sei.__main__ import CONF, main
from sei.commandline import _NULLABLE, OPEN, ordered
from tests.compose import composed

# command, beginning of the first line, part of the rest
WRONG = {
    "clusterer=wrad": ("clusterer=wrad: no such option. Did you mean ward?", "agglomerative"),
    "model=llama": ("model=llama: no such option. Did you mean llama3_8b?", "conf/model"),
    "experiment=smok": ("experiment=smok: no such option. Did you mean smoke?", ""),
    "data=gms8k": ("data=gms8k: no such option. Did you mean gsm8k?", ""),
    "instructor=gpt4": ("instructor=gpt4: no such option. Did you mean gpt4o?", "gemini"),
    "ablation=no_cluster": ("ablation=no_cluster: no such option. Did you mean no_clustering?", ""),
    "tracker=tensorboard": ("tracker=tensorboard: no such option.", "wandb_offline"),
    "refiner=one_shot": ("refiner=one_shot: no such option. Did you mean one_shot_step?", ""),
    "clusterer=null": ("clusterer=null: every run needs a clusterer.", "clusterer=none"),
    "model=": ("model=: every run needs a model.", ""),
    "--experiment smoke": ("--experiment: settings are written without dashes.", "experiment=smoke"),
    "--seed=3": ("--seed=3: settings are written without dashes.", "seed=3"),
    "--data-folder /x": ("--data-folder: settings are written without dashes.", "data_folder=/x"),
    "clusterer": ("clusterer: a setting needs a value.", "clusterer=VALUE"),
    "smoke": ("smoke: a setting needs a value.", ""),
    "bogus=1": ("bogus: no such setting.", "sei --cfg job"),
    "lr=1e-4": ("lr: no such setting. Did you mean finetuner.lr?", ""),
    "keep=0.3": ("keep: no such setting. Did you mean assume.keep or refiner.keep?", ""),
    "refiner.kep=0.3": ("refiner.kep: no such setting. Did you mean keep?", "at_least"),
    "refiner=gradient refiner.step_size=1": ("refiner.step_size: no such setting.", "max_validation"),
    "finetuner.schedule.step=3": ("finetuner.schedule.step: no such setting. Did you mean steps?", ""),
    "engine.max_tokens=3": ("engine.max_tokens: no such setting. Did you mean max_new_tokens?", ""),
    "+bogus=1": ("bogus=1: unknown key.", "known keys"),
    "+refiner.bogus=1": ("refiner.bogus=1: Unexpected keyword argument.", "step_size"),
    "refiner.keep=1.5": ("refiner.keep=1.5: Input should be less than or equal to 1.", ""),
    "refiner.keep=half": ("refiner.keep='half': Input should be a valid number.", ""),
    "clusterer.min_types=x": ("clusterer.min_types='x': Input should be a valid integer.", ""),
    "finetuner.lr=5": ("finetuner.lr=5: Input should be less than 1.", ""),
    "data.pool=2": ("data.pool=2: Input should be greater than or equal to", ""),
    "budget.candidates=0": ("budget.candidates=0: Input should be greater than", ""),
    "rounds=-1": ("rounds=-1: must be a whole number of at least 0.", ""),
    "rounds=many": ("rounds='many': must be a whole number", ""),
    "seed=-1": ("seed=-1: must be a whole number of at least 0.", ""),
    "dry_run=yes_please": ("dry_run='yes_please': must be true or false.", ""),
    "name=a/b": ("name='a/b': letters, digits", ""),
    "data=jsonl": ("engine.max_new_tokens=None: data=jsonl sets no length limit for answers", "512"),
    "data=gsm8k experiment=smoke": ("data.test=60: Unexpected keyword argument.", "was set by experiment=smoke"),
    "ablation=no_clustering clusterer=kmeans": ("clusterer='kmeans': contradicts ablation=no_clustering", ""),
    "ablation=pooled_validation refiner.min_validation=5": ("refiner.min_validation=5: contradicts", "ablation=full"),
    "ablation=no_replay method.curriculum.replay=100": ("method.curriculum.replay=100: contradicts", "ablation=full"),
    "ablation=double_data budget.scale=1": ("budget.scale=1: contradicts ablation=double_data", "ablation=full"),
    "ablation=[no_refinement,no_clustering]": ("ablation='no_clustering': one ablation", "sweep"),
    "scoring=null": ("scoring=null: every run needs a scoring.", ""),
    "prompts.synthesize=./a.txt ablation=no_clustering instructor=gpt4o": (
        "prompts.synthesize='./a.txt': NoClustering asks with prompts.unnamed",
        "prompts.unnamed=FILE as well",
    ),
    "+scoring.keep=0.3": ("scoring.keep=0.3: unknown key.", "scoring"),
    "+scoring.min_valdation=3": ("scoring.min_valdation=3: unknown key.", "scoring.min_validation"),
    "+bad_cases.wrong_share=1.0": ("bad_cases.wrong_share=1.0: unknown key.", "bad_cases.wrong_in"),
    "trainer=gpu": ("trainer.accelerator='gpu': torch sees no CUDA device", "trainer=cpu"),
    "trainer.devices=2": ("trainer.devices=2, trainer.strategy=auto.", "trainer=ddp"),
    "model.source=/nowhere": ("model.source=/nowhere: no such folder or file /nowhere.", ""),
    "instructor.api_key=sk-abcdefghijkl": ("an argument looks like a secret.", ""),
    "model.few_shot=/nowhere.jsonl": ("data file /nowhere.jsonl is missing.", "model.few_shot=PATH"),
    "review=/nowhere.yaml": ("review=/nowhere.yaml", ""),
    "plugins=[nothing_here] +refiner.x=1": ("refiner.x=1: Unexpected keyword argument.", ""),
    "clusterer._target_=os.system": ("clusterer._target_='os.system': parts come from sei", "plugins"),
    "clusterer._target_=sei.nowhere.X": ("clusterer._target_='sei.nowhere.X': no such part", ""),
    "refiner=[a": ("no viable alternative at input '[a'", "override_grammar"),
    "--multirun --cfg job": ("Only one of --run, --multirun, --cfg", ""),
}


@pytest.fixture(autouse=True)
def _apart(tmp_path, monkeypatch):
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    monkeypatch.setattr("sei.__main__.catch_signals", lambda: None)
    monkeypatch.setenv("SEI_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    yield
    for made in set(logging.getLogger().handlers) - set(handlers):
        made.close()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def said(capsys, monkeypatch, *words: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["sei", *words])
    with pytest.raises(SystemExit) as e:
        main()
    return e.value.code, capsys.readouterr().err


@pytest.mark.parametrize("command", WRONG)
def test_a_wrong_command_is_refused_in_its_first_line(capsys, monkeypatch, tmp_path, command):
    begins, holds = WRONG[command]
    code, err = said(capsys, monkeypatch, *command.split())
    first = err.splitlines()[0]
    assert first.startswith(f"sei: {begins}"), err
    assert holds in err
    assert code == 2
    assert "Traceback" not in err
    assert r"\t" not in err
    assert not list((tmp_path / "store").glob("*/*")), "nothing was made"


def test_there_are_forty_of_them():
    assert len(WRONG) >= 40


@pytest.mark.parametrize("flag", ["-m", "--multirun"])
def test_settings_may_follow_a_flag(capsys, monkeypatch, tmp_path, flag):
    code, err = said(capsys, monkeypatch, "experiment=smoke", "tracker=none", flag, "rounds=-1,-1", "experiment=null")
    assert code == 1
    assert err.count("rounds=-1: must be a whole number") >= 2


@pytest.mark.parametrize("command", ["clusterer=wrad", "--experiment smoke", "refiner.keep=1.5"])
def test_a_wrong_command_as_a_command(tmp_path, command):
    line = [sys.executable, "-m", "sei", *command.split()]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith(f"sei: {WRONG[command][0]}")


def test_a_reader_who_leaves_is_no_fault():
    """As in ``sei --help | head -1``."""
    with subprocess.Popen(
        [sys.executable, "-m", "sei", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as shown:
        shown.stdout.close()
        assert (shown.stderr.read(), shown.wait(timeout=60)) == ("", 0)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["a=1", "-m", "b=2"], ["-m", "a=1", "b=2"]),
        (["a=1", "--config-dir", "conf", "b=2"], ["--config-dir", "conf", "a=1", "b=2"]),
        (["a=1", "--info", "searchpath"], ["--info=searchpath", "a=1"]),
        (["a=1", "-i"], ["--info=all", "a=1"]),
        (["--info=defaults", "a=1"], ["--info=defaults", "a=1"]),
        (
            ["data.tests.hard=h.jsonl", "instructor.max_tokens={keyphrase: 9}", "+model.chat_template_kwargs.x=1"],
            ["++data.tests.hard=h.jsonl", "++instructor.max_tokens={keyphrase: 9}", "+model.chat_template_kwargs.x=1"],
        ),
        (["instructor.max_tokens=9", "engine.extra_body={}"], ["instructor.max_tokens=9", "++engine.extra_body={}"]),
        (["data_folder=null", "review=null", "attempts=null"], ["data_folder=null", "review=null", "attempts=null"]),
        (["--cfg", "job", "experiment=null", "~x", "+y=1"], ["--cfg", "job", "~x", "+y=1"]),
    ],
)
def test_flags_come_first_with_what_belongs_to_them(given, read):
    assert ordered(given, {"experiment", "data_folder", "review", "attempts"}) == read


def test_the_settings_that_may_be_null_are_those_of_conf():
    usual = yaml.safe_load((CONF / "config.yaml").read_text())
    assert {k for k, v in usual.items() if v is None} | {"data_folder"} == _NULLABLE


def test_every_empty_mapping_of_conf_takes_keys_of_the_users_own():
    texts = [p.read_text(encoding="utf-8") for p in CONF.rglob("*.yaml")]
    assert set(OPEN) == {name for text in texts for name in re.findall(r"(?m)^ *(\w+): \{\}", text)}
    shown = ["data=jsonl", "data.tests.hard=h.jsonl", "model.chat_template_kwargs.enable_thinking=false"]
    cfg, _ = composed(*ordered([*shown, "instructor=openai_compatible", "instructor.max_tokens={keyphrase: 9}"], ()))
    assert (cfg.data.tests, cfg.instructor.max_tokens) == ({"hard": "h.jsonl"}, {"keyphrase": 9})
    assert cfg.model.chat_template_kwargs == {"enable_thinking": False}


def test_a_misspelled_setting_of_an_own_part_names_its_settings(capsys, monkeypatch, tmp_path):
    (tmp_path / "conf" / "refiner").mkdir(parents=True)
    (tmp_path / "conf" / "refiner" / "mine.yaml").write_text("_target_: mine.Mine\nkeep: 0.5\nwords: 3\n")
    code, err = said(capsys, monkeypatch, f"--config-dir={tmp_path / 'conf'}", "refiner=mine", "refiner.kep=1")
    assert code == 2
    assert err.startswith("sei: refiner.kep: no such setting. Did you mean keep? Rule: refiner has keep, words.")
