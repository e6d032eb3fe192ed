"""Names that lead to other places (F36), targets that are not parts, weights and models that would run code (F37)."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from sei.build import build
from sei.data.benchmarks import with_benchmarks
from sei.errors import ConfigError
from sei.exchange import DataSet
from sei.models.target import TargetModel
from tests.builders import held_out
from tests.conftest import ROOT, Sei
from tests.trees import tree

QUICK = ("experiment=smoke", "tracker=none")
WEIGHTS = ROOT / "sei" / "models" / "weights" / "tiny_l"


# F36


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model=../../x", ["model='../../x'", "conf/"]),
        ("+experiment=../x", ["experiment='../x'"]),
        ("benchmarks/set@benchmarks.b=../../x", ["benchmarks/set", "../../x"]),
        ("name=a/../../../b", ["name='a/../../../b'", "name=my_run"]),
        ("name=..", ["name='..'"]),
        ("name=/tmp/b", ["name='/tmp/b'"]),
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path, override, words):
    """F36."""
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "work" / "here").mkdir(parents=True)
    sei = Sei(tmp_path / "work" / "here", tmp_path / "store")
    shutil.copy(ROOT / "conf" / "model" / "tiny.yaml", tmp_path / "x.yaml")  # the target of the name
    before = tree(tmp_path)
    done = sei(f"--config-dir={tmp_path / 'conf'}", *QUICK, override)
    assert done.returncode == 2, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert all(w in done.stderr for w in words)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["../../etc", "/tmp/x", "a/b", "..", "=cmd", "", "a\nb", "[red]"])
def test_data_sets_whose_names_lead_elsewhere_are_refused(name):
    """F36."""
    problem = held_out(set=name)
    with pytest.raises(ConfigError, match=r"data set name .*rename it") as e:
        with_benchmarks(DataSet(pool=(), held_out=(problem,)), {})
    assert repr(name) in str(e.value)


# F37


@pytest.mark.parametrize(
    "target",
    "os.system posix.system builtins.exec subprocess.run seix.os.system sei.x.os.system sei.build.importlib "
    "sei.build.importlib.import_module sei.exits.signal.signal sei.exits.signal sei.store.files.os sei..os.system "
    "sei.\0.x .system system sei.parts.part sei.errors.ConfigError".split(),
)
def test_what_is_no_part_is_never_called(tmp_path, monkeypatch, target):
    """F37."""
    monkeypatch.chdir(tmp_path)
    node = {"deep": [{"_target_": target, "command": "touch canary", "path": "canary", "mode": "w"}]}
    with pytest.raises(ConfigError) as e:
        build(node, "method", ())
    assert "method.deep[0]._target_" in str(e.value)
    assert "Remedy" in str(e.value)
    assert tree(tmp_path) == set()


def test_a_package_that_is_not_named_is_not_even_imported(tmp_path, monkeypatch):
    (tmp_path / "hostile_package.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match="parts come from sei or a package under plugins"):
        build({"_target_": "hostile_package.Part"}, "method", ())
    assert not (tmp_path / "canary").exists()


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def model_folder(home: Path, **config: object) -> Path:
    folder = home / "model"
    shutil.copytree(WEIGHTS, folder)
    held = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**held, **config}))
    return folder


def opened(folder: Path) -> None:
    target = TargetModel(name="x", source=str(folder), template="plain")
    with target.open(target.base()):
        pass


@pytest.mark.parametrize("save", ["torch", "pickle"])
def test_pickled_weights_are_not_opened(tmp_path, save):
    """F37."""
    folder = model_folder(tmp_path)
    (folder / "model.safetensors").unlink()
    evil = {"x": Canary(str(tmp_path / "canary"))}
    if save == "torch":
        torch.save(evil, folder / "pytorch_model.bin")
    else:
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(evil))
    with pytest.raises(ConfigError, match=r"model.source=.*safetensors.*Remedy: "):
        opened(folder)
    assert not (tmp_path / "canary").exists()


def test_pickled_weights_are_refused_even_if_harmless(tmp_path):
    from safetensors.torch import load_file

    folder = model_folder(tmp_path)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match="pickled weights are not opened"):
        opened(folder)


def test_damaged_weights_are_named(tmp_path):
    """F29."""
    folder = model_folder(tmp_path)
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(ConfigError, match=r"model.source=.*cannot be loaded \(SafetensorError"):
        opened(folder)


def test_code_of_a_model_is_not_run(sei, tmp_path):
    """F37."""
    code = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model", "AutoTokenizer": ["evil.Tokens", None]}
    folder = model_folder(tmp_path, model_type="evil", architectures=["Model"], auto_map=code)
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\n")
    done = sei(*QUICK, f"model.source={folder}", "data.pool=20", "data.dev=10", "data.test=10")
    assert done.returncode == 2, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert f"model.source={folder}" in done.stderr
    assert "a model's code is not run" in done.stderr
    assert not (tmp_path / "canary").exists()
