"""Chat templates of models: each works, or is refused with the reason before anything costs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from sei.errors import ConfigError
from sei.models.target import TargetModel
from sei.store import digest
from tests.builders import TINY

CHATML = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% if enable_thinking is false %}<no_think>{% endif %}{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}" + CHATML


def folder(home: Path, template: str | None, *, eos: bool = True) -> TargetModel:
    """Return a folder with the embedded tokenizer and a special template."""
    found = TINY.folder()
    assert found is not None
    shutil.copytree(found, home / "model")
    settings = json.loads((home / "model" / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    if not eos:
        settings["eos_token"] = None
    (home / "model" / "tokenizer_config.json").write_text(json.dumps(settings))
    for kept in ("chat_template.jinja", "special_tokens_map.json"):
        (home / "model" / kept).unlink(missing_ok=True)
    if template is not None:
        (home / "model" / "chat_template.jinja").write_text(template)
    return TargetModel(name="own", source=str(home / "model"), template="chat")


@pytest.mark.parametrize(
    ("template", "more", "words"),
    [
        (None, {}, r"has no chat template.*model.template=plain"),
        ("{{ nothing.at.all() }}", {}, r"its chat template cannot be used \(UndefinedError"),
        ("{% for %}", {}, r"its chat template cannot be used \(TemplateSyntaxError"),
        (NO_SYSTEM, {"system_prompt": "Be brief."}, r"no system turn.*model.system_prompt=null"),
        ("always the same", {}, r"leaves the question out"),
    ],
    ids=["none", "broken", "syntax", "no system turn", "no question"],
)
def test_a_template_that_cannot_be_used_is_refused(tmp_path, template, more, words):
    made = folder(tmp_path, template)
    with pytest.raises(ConfigError, match=words):
        TargetModel(name="own", source=made.source, template="chat", **more).preflight()


def test_a_tokenizer_without_an_end_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no end-of-text token"):
        folder(tmp_path, CHATML, eos=False).preflight()


def test_system_turn_and_template_settings_reach_the_prompt(tmp_path):
    made = folder(tmp_path, CHATML)
    made.preflight()
    (tmp_path / "system.txt").write_text("Be brief.\n")
    more = {"system_prompt": str(tmp_path / "system.txt"), "chat_template_kwargs": {"enable_thinking": False}}
    asked = TargetModel(name="own", source=made.source, template="chat", **more)
    (said,) = asked.without_weights().prompts(["1 + 1?"])
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1 + 1?"}]
    tokenizer = AutoTokenizer.from_pretrained(made.source)
    how = {"add_generation_prompt": True, "tokenize": False, "enable_thinking": False}
    assert said == tokenizer.apply_chat_template(turns, **how)
    assert "<no_think>" in said
    (plain,) = made.without_weights().prompts(["1 + 1?"])
    assert "system" not in plain


def test_what_is_asked_is_in_the_key_and_defaults_keep_theirs(tmp_path):
    made = folder(tmp_path, CHATML)
    said = {"system_prompt": "Be brief."}, {"chat_template_kwargs": {"enable_thinking": False}}
    keys = {digest(TargetModel(name="own", source=made.source, template="chat", **m)) for m in ({}, *said)}
    assert len(keys) == 3
    assert set(made.reads()) == {"weights", "shots", "solve_chat", "ask_plain", "options"}


def test_settings_of_a_chat_need_a_chat_template():
    with pytest.raises(ConfigError, match=r"model.system_prompt with model.template=plain"):
        TargetModel(name="x", source="packaged:tiny_l", template="plain", system_prompt="Be brief.")


def test_a_file_that_is_not_there_is_named():
    asked = TargetModel(name="x", source="packaged:tiny_l", template="chat", system_prompt="./nowhere.txt")
    with pytest.raises(ConfigError, match=r"model.system_prompt=./nowhere.txt: cannot be read"):
        asked.reads()


DATED = "{{ 'Today is ' + strftime_now('%d %b %Y') }}, {{ strftime_now(\"%Y-%m-%d\") }}" + CHATML


def test_prompts_are_the_same_every_day(tmp_path):
    """F41. Llama 3.2's template tells the date, so a run over midnight mixed prompts under one key."""
    made = folder(tmp_path, DATED)
    made.preflight()
    (said,) = made.prompts(["How many?"])
    assert said.startswith("Today is 26 Jul 2024, 2024-07-26<user>")
    own = folder(tmp_path / "other", CHATML)
    assert made.reads()["date"] == "fixed"
    assert "date" not in own.reads()


@pytest.mark.parametrize("processor", [False, True])
def test_a_tokenizer_that_ends_every_prompt_is_refused_or_kept(tmp_path, processor):
    made = folder(tmp_path, CHATML)
    home = Path(made.source)
    file = home / ("tokenizer.json" if processor else "tokenizer_config.json")
    held = json.loads(file.read_text())
    if processor:
        end = next(t["id"] for t in held["added_tokens"] if t["content"] == "</s>")
        held["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [end], "tokens": ["</s>"]}},
        }
    file.write_text(json.dumps(held if processor else {**held, "add_eos_token": True}))
    made.preflight()  # a chat template writes all special tokens itself
    assert "open_end" not in made.reads()
    plain = TargetModel(name="own", source=made.source, template="plain")
    if processor:
        with pytest.raises(ConfigError, match=r"ends every text with '</s>'.*Remedy"):
            plain.preflight()
    else:
        plain.preflight()
        assert plain.reads()["open_end"] == "true"
        tokenizer = plain.without_weights().tokenizer
        assert tokenizer("Tom has 3 apples")["input_ids"][-1] != tokenizer.eos_token_id
