"""Checkpoint folders mean the same to both versions of transformers: what is written, what stays, who gets what.

The slow test_exports_read.py reads them with transformers 4 itself.
"""

from __future__ import annotations

import json
import logging
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from sei.engines import server
from sei.engines.openai_server import ServedEngine
from sei.models import portable
from sei.models.target import TargetModel
from sei.models.trained import checkpoint_in, save_adapter, save_merged, with_adapter
from sei.records import Checkpoint
from sei.report.cards import Origin
from sei.report.model_folder import write_model
from sei.store import folder_digest
from tests.builders import TINY
from tests.conftest import ROOT
from tests.models.shapes import LLAMA3, TEXTS, YARN, write_shape

SERVER = ROOT / "tests" / "weight_server.py"
SHAPES = ("llama3_scaled_tied", "mistral_whole", "qwen2_yarn", "llama2_dynamic")
IDS = torch.randint(10, 300, (2, 60), generator=torch.Generator().manual_seed(0))
PENALTIES = {"repetition_penalty": 1.3, "no_repeat_ngram_size": 4, "temperature": 0.7, "do_sample": True}
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")


def read(folder: Path, name: str) -> dict:
    return json.loads((folder / name).read_text())


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits


def target(folder: Path) -> TargetModel:
    return TargetModel(name="shape", source=str(folder))


def origin(folder: Path) -> Origin:
    return Origin(experiment="x", seed=0, config_digest="d", git_commit="", target=target(folder))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """For each shape: the base, the checkpoint of a fine-tune, and the settings of the open model in memory."""
    made = {}
    for name in SHAPES:
        home = tmp_path_factory.mktemp(name)
        base = write_shape(home / "base", name, generation=PENALTIES)
        with target(base).open(target(base).base()) as opened:
            save_merged(opened.model, opened.tokenizer, home / "new", "full")
            held = (logits(opened.model), opened.tokenizer(list(TEXTS))["input_ids"], opened.tokenizer.eos_token_id)
        made[name] = (base, home / "new" / "model", held)
    return made


def old_store_entry(base: Path, home: Path) -> Checkpoint:
    """Write a checkpoint in the format of transformers 5, with the decoding settings of the base."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model.save_pretrained(home / "model")
    AutoTokenizer.from_pretrained(base, padding_side="left").save_pretrained(home / "model")
    return checkpoint_in(home, Checkpoint(digest="b"), "full")


ROPE = {
    "llama3_scaled_tied": (5e5, {**LLAMA3, "type": "llama3"}),
    "mistral_whole": (1e6, None),
    "qwen2_yarn": (1e6, {**YARN, "rope_type": "yarn"}),
    "llama2_dynamic": (1e4, {"rope_type": "dynamic", "type": "dynamic", "factor": 2.0}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_settings_stand_in_both_spellings(saved, name):
    base, folder, (_, _, eos) = saved[name]
    config, tok = read(folder, "config.json"), read(folder, "tokenizer_config.json")
    assert (config["rope_theta"], config["rope_scaling"]) == ROPE[name]
    assert config["rope_parameters"]["rope_theta"] == config["rope_theta"]
    assert (config["dtype"], config["torch_dtype"]) == ("float32", "float32")
    assert "sliding_window" in config or config["model_type"] == "llama"  # explicit null: version 4's default is 4096
    assert config["tie_word_embeddings"] == (name == "llama3_scaled_tied")
    assert tok["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert tok["model_input_names"] == ["input_ids", "attention_mask"]
    assert not isinstance(tok.get("extra_special_tokens"), list)
    assert set(tok["additional_special_tokens"]) == {"<|user|>", "<|assistant|>", "<|end|>"}
    generation = read(folder, "generation_config.json")
    assert generation["eos_token_id"] == read(base, "generation_config.json")["eos_token_id"]
    assert eos in generation["eos_token_id"]
    assert set(generation) <= {*portable.TOKENS, "do_sample", "transformers_version"}


@pytest.mark.parametrize("name", SHAPES)
def test_transformers_5_reads_it_as_the_run_had_it(saved, name):
    _, folder, (had, ids, eos) = saved[name]
    torch.testing.assert_close(logits(AutoModelForCausalLM.from_pretrained(folder)), had, rtol=0, atol=1e-4)
    tok = AutoTokenizer.from_pretrained(folder)
    assert (tok(list(TEXTS))["input_ids"], tok.eos_token_id) == (ids, eos)
    before = folder_digest(folder)
    portable.mend(folder)
    assert folder_digest(folder) == before
    assert portable.view(folder) is None


def test_what_the_store_holds_is_exported_right_and_stays(saved, tmp_path):
    base, folder, _ = saved["llama3_scaled_tied"]
    old = old_store_entry(base, tmp_path / "entry")
    assert "rope_theta" not in read(Path(old.folder), "config.json")
    assert read(Path(old.folder), "generation_config.json")["repetition_penalty"] == 1.3
    write_model(tmp_path / "run", old, {}, origin(base), best_round=1)
    assert folder_digest(Path(old.folder)) == old.digest
    home = tmp_path / "run" / "model"
    assert read(home, "config.json") == read(folder, "config.json") | {"pad_token_id": None}
    assert set(read(home, "generation_config.json")) == set(read(folder, "generation_config.json")) - {"pad_token_id"}
    assert read(home, "tokenizer_config.json")["tokenizer_class"] == "PreTrainedTokenizerFast"
    card = (home / "README.md").read_text().replace("\\", "")
    reset = "`do_sample`: true, `no_repeat_ngram_size`: 4, `repetition_penalty`: 1.3, `temperature`: 0.7"
    assert f"of the target model that were not used: {reset}." in card
    assert "for transformers 4.57 and 5." in card


def test_weights_can_be_read_by_whoever_can_read_the_rest(saved, tmp_path):
    """A server often runs as another user, but safetensors writes files readable by their owner only."""
    base, _, _ = saved["mistral_whole"]
    write_model(tmp_path / "run", old_store_entry(base, tmp_path / "entry"), {}, origin(base), best_round=1)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "run" / "model").iterdir()}
    assert modes["model.safetensors"] == modes["config.json"]


def test_the_base_of_an_adapter_is_exported_right(saved, tmp_path):
    base, _, _ = saved["qwen2_yarn"]
    onto = old_store_entry(base, tmp_path / "warm_up")
    with target(base).open(onto) as opened:
        model = with_adapter(opened.model, r=2, alpha=4, dropout=0.0, targets=["q_proj"])
        save_adapter(model, str(base), tmp_path / "made")
        save_merged(model, opened.tokenizer, tmp_path / "made", "lora")
    write_model(tmp_path / "run", checkpoint_in(tmp_path / "made", onto, "lora"), {}, origin(base), best_round=1)
    config = read(tmp_path / "run" / "model" / "adapter" / "base", "config.json")
    assert (config["rope_theta"], config["rope_scaling"]) == ROPE["qwen2_yarn"]
    assert folder_digest(Path(onto.folder)) == onto.digest


def test_a_server_is_given_a_mended_view_of_what_the_store_holds(saved, tmp_path):
    base, folder, _ = saved["llama3_scaled_tied"]
    old = old_store_entry(base, tmp_path / "entry")
    command = f"{{python}} {SERVER} {{model}} {{port}}"
    engine = ServedEngine(command=command, prompt="text", startup=30)
    try:
        with engine.open(target(base), old) as opened:
            given = server._running.view
            assert opened.name == str(given)
            assert read(given, "config.json")["rope_theta"] == 5e5
            assert "repetition_penalty" not in read(given, "generation_config.json")
            assert (given / "model.safetensors").resolve() == Path(old.folder) / "model.safetensors"
        new = Checkpoint(digest="n", kind="full", folder=str(folder))
        with engine.open(target(base), new) as opened:
            assert server._running.model == str(folder)
    finally:
        server.stop()
    assert not given.exists()
    assert folder_digest(Path(old.folder)) == old.digest


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"model_type": "llama"}, None),
        ({"model_type": "llama", "rope_scaling": {"type": "su"}}, "rope_type 'su'"),
        ({"model_type": "llama", "rope_parameters": {"rope_type": "proportional"}}, "rope_type 'proportional'"),
        ({"model_type": "qwen3", "rope_parameters": {"a": {"rope_type": "default"}, "b": {}}}, "each layer type apart"),
        ({"model_type": "gemma2"}, "model type 'gemma2' has not been compared"),
        ({"model_type": "no_such"}, "model type 'no_such' has not been compared"),
    ],
)
def test_what_cannot_be_promised_is_said_early_and_in_the_card(tmp_path, caplog, config, word):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TINY.folder() / name, tmp_path / "base" / name)
    base = replace(target(tmp_path / "base"), template="plain")
    with caplog.at_level(logging.WARNING):
        base.preflight()
        base.preflight()  # once for each stage that holds the model
    ours = [r for r in caplog.records if r.name.startswith("sei.")]
    assert len(ours) == (word is not None)
    assert word is None or (word in caplog.text and "Remedy" in caplog.text)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "config.json").write_text(json.dumps(config))
    (tmp_path / "made" / "tokenizer.json").write_text("{}")
    made = Checkpoint(digest="d", kind="full", folder=str(tmp_path / "made"))
    write_model(tmp_path / "run", made, {}, origin(tmp_path / "base"), best_round=1)
    card = (tmp_path / "run" / "model" / "README.md").read_text().replace("\\", "")
    assert (word or "for transformers 4.57 and 5.") in card


def test_a_checkpoint_without_tokenizer_json_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    assert portable.folder_obstacles(tmp_path) == ["its tokenizer has no tokenizer.json"]


def mended(config: dict, tmp_path: Path) -> dict:
    (tmp_path / "config.json").write_text(json.dumps(config))
    portable.mend(tmp_path)
    return read(tmp_path, "config.json")


def test_scaling_that_4_takes_from_elsewhere_is_said_outright(tmp_path):
    long = {"rope_type": "longrope", "factor": 8.0, "original_max_position_embeddings": 32, "rope_theta": 3e5}
    found = mended({"model_type": "llama", "max_position_embeddings": 128, "rope_parameters": long}, tmp_path)
    assert found["original_max_position_embeddings"] == 32
    assert found["rope_scaling"]["attention_factor"] == pytest.approx(math.sqrt(1 + math.log(8) / math.log(32)))
    yarn = {"rope_type": "yarn", "factor": None, "original_max_position_embeddings": 32, "rope_theta": 3e5}
    found = mended({"model_type": "llama", "max_position_embeddings": 128, "rope_parameters": yarn}, tmp_path)
    assert found["rope_scaling"]["factor"] == 4.0
    partial = {"rope_type": "default", "rope_theta": 3e5, "partial_rotary_factor": 0.5}
    found = mended({"model_type": "phi", "rope_parameters": partial}, tmp_path)
    assert (found["rope_theta"], found["partial_rotary_factor"], found["rope_scaling"]) == (3e5, 0.5, None)


def test_a_folder_in_the_older_spelling_is_left_alone(tmp_path):
    base = write_shape(tmp_path, "llama2_linear")
    assert portable.view(base) is None
    assert AutoConfig.from_pretrained(base).rope_parameters["factor"] == 2.0


def test_a_special_token_outside_the_vocabulary_gets_no_id(tmp_path):
    base = write_shape(tmp_path, "llama3")
    more = {"backend": "tokenizers", "mask_token": "<mask>", "sep_token": "<|eom|>"}
    held = read(base, "tokenizer_config.json") | more
    (base / "tokenizer_config.json").write_text(json.dumps(held))
    portable.mend(base)
    found = read(base, "tokenizer_config.json")
    assert ("mask_token" in found, found["sep_token"]) == (False, "<|eom|>")
    assert len(AutoTokenizer.from_pretrained(base)) == read(base, "config.json")["vocab_size"]
