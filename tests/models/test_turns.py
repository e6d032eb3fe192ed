"""The end of an answer in a chat is learnt, decoded and exported as the template defines it, whatever the EOS is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sei.engines.lightning import LightningEngine
from sei.engines.openai_server import ServedEngine
from sei.errors import ConfigError
from sei.lit.batches import IGNORE, collate
from sei.lit.one_step import mean_losses
from sei.lit.shared_prefix import SharedPrefix
from sei.lit.trainer import TrainerSettings
from sei.models.target import TargetModel
from sei.models.trained import save_merged
from sei.models.turns import turns_of
from sei.opened import ends_of
from tests.models.shapes import CHAT, write_shape

ENGINE = LightningEngine(trainer=TrainerSettings(), batch_size=4, max_new_tokens=12)
PAIR = ("What is 1 + 1?", "It is 2.")
AROUND = CHAT.replace("{{ m['content'] }}", "{{ '(' ~ m['content'] ~ ' )' if m.role == 'assistant' else m.content }}")
WORDS = CHAT.replace("<|end|>", "[/turn]")


def changed(folder: Path, name: str, **settings: Any) -> None:
    path = folder / name
    held = {**json.loads(path.read_text()), **settings}
    path.write_text(json.dumps({k: v for k, v in held.items() if v is not None}))


def model(home: Path, chat: str = CHAT, *, ends: bool = False, **more: Any) -> TargetModel:
    """Return a small Llama 3 whose EOS <|eot|> is not the template's end of turn; ``ends``: the model stops at both."""
    folder = write_shape(home / "base", "llama3")
    changed(folder, "tokenizer_config.json", chat_template=chat)
    if not ends:
        changed(folder, "generation_config.json", eos_token_id=None)
    return TargetModel(source=str(folder), **more)


def test_the_end_of_a_turn_is_learnt_and_stops(tmp_path):
    target = model(tmp_path)
    with target.open(target.base()) as opened:
        tokenizer: Any = opened.tokenizer
        end, eot = tokenizer.convert_tokens_to_ids(["<|end|>", "<|eot|>"])
        (row,) = opened.encode([PAIR])
        assert row.completion[-1] == end
        assert eot not in row.completion
        assert ends_of(opened) == {eot, end}
        save_merged(opened.model, tokenizer, tmp_path / "new", "full")
    generation = json.loads((tmp_path / "new" / "model" / "generation_config.json").read_text())
    assert set(generation["eos_token_id"]) == {eot, end}
    held = json.loads((tmp_path / "new" / "model" / "tokenizer_config.json").read_text())
    assert held["eos_token"] == "<|end|>"


@pytest.mark.parametrize("token", ["<|end|>", "<|eot|>"])
def test_an_answer_is_finished_at_each_of_its_ends(tmp_path, token):
    target = model(tmp_path)
    with target.open(target.base()) as opened:
        end = opened.tokenizer.convert_tokens_to_ids(token)
        head: Any = opened.weights.get_output_embeddings()
        head.register_forward_hook(lambda *x: x[2].index_fill(-1, torch.tensor([end]), 1e4))
        found = list(ENGINE.answer(opened, opened.prompts([PAIR[0], "2?"]), frozenset(), "x"))
        (shared,) = SharedPrefix(opened).answers([opened.prompts([PAIR[0]])], 12)
    assert [(a.text, a.finished) for a in [*found, *shared]] == [("", True)] * 3


def test_what_stands_around_an_answer_is_learnt(tmp_path):
    target = model(tmp_path, AROUND)
    with target.open(target.base()) as opened:
        tokenizer: Any = opened.tokenizer
        (row,) = opened.encode([PAIR])
        turns = [{"role": "user", "content": PAIR[0]}, {"role": "assistant", "content": PAIR[1]}]
        whole = tokenizer.apply_chat_template(turns, tokenize=False)
        assert [*row.prompt, *row.completion] == tokenizer(whole, add_special_tokens=False)["input_ids"]
        (prompt,) = opened.prompts([PAIR[0]])
        ((likelihood,),) = SharedPrefix(opened).log_likelihoods([[(prompt, PAIR[1])]])
        assert likelihood == pytest.approx(-mean_losses(opened, [PAIR], 1)[0], abs=1e-4)
    assert "turns" in target.reads()


def test_a_turn_that_ends_with_words_is_refused(tmp_path):
    target = model(tmp_path, WORDS)
    for refused in (target.preflight, target.reads, target.without_weights):
        with pytest.raises(ConfigError, match=r"ends an assistant turn with the text '\[/turn\]'.*template=plain"):
            refused()


def test_a_template_without_an_end_ends_with_the_eos(tmp_path):
    asked = model(tmp_path, CHAT.replace("<|end|>", "\n")).without_weights()
    (row,) = asked.encode([PAIR])
    assert row.completion[-1] == asked.tokenizer.convert_tokens_to_ids("<|eot|>")


def test_a_template_that_takes_no_answer_stays_usable(tmp_path):
    refuses = "{% if messages[-1].role != 'user' %}{{ raise_exception('no') }}{% endif %}" + CHAT
    target = model(tmp_path, refuses)
    target.preflight()
    assert turns_of(target.without_weights(), "x") is None


def test_a_served_base_has_to_end_where_turns_end(tmp_path):
    engine = ServedEngine(url="http://127.0.0.1:9/v1")
    with pytest.raises(ConfigError, match=r"ends an answer with '<\|end\|>'.*generation_config.json"):
        engine.require_served(model(tmp_path / "without"))
    engine.require_served(model(tmp_path / "with", ends=True))
    engine.require_served(model(tmp_path / "plain", template="plain"))


@pytest.mark.parametrize("pad", [None, "<|eot|>", "<|end|>"])
def test_padding_with_an_end_hides_no_end(tmp_path, pad):
    target = model(tmp_path)
    changed(Path(target.source), "tokenizer_config.json", pad_token=pad)
    asked = [PAIR[0], "2?", "Why is the sum of one and one two, and not three?"]
    with target.open(target.base()) as opened:
        tokenizer: Any = opened.tokenizer
        assert tokenizer.pad_token == (pad or "<|eot|>")
        rows = [(e.prompt, e.completion) for e in opened.encode([PAIR, ("2?", "It is two, as one and one are two.")])]
        batch = collate(rows, tokenizer.pad_token_id)
        for (prompt, completion), ids, labels, mask in zip(
            rows, batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True
        ):
            n = len(prompt) + len(completion)
            assert labels.tolist()[len(prompt) : n] == list(completion)
            assert set(labels.tolist()[n:]) <= {IGNORE}
            assert (int(mask.sum()), ids.tolist()[n - 1]) == (n, tokenizer.eos_token_id)
        together = {a.at: a.text for a in ENGINE.answer(opened, opened.prompts(asked), frozenset(), "x")}
        alone = [next(ENGINE.answer(opened, opened.prompts([q]), frozenset(), "x")).text for q in asked]
    assert [together[i] for i in range(3)] == alone


def test_a_padding_token_without_weights_is_not_used(tmp_path):
    target = model(tmp_path)
    changed(Path(target.source), "tokenizer_config.json", pad_token="[PAD]")  # as in many fine-tunes on the hub
    with target.open(target.base()) as opened:
        rows = [(e.prompt, e.completion) for e in opened.encode([PAIR, ("2?", "two")])]
        batch = collate(rows, int(opened.tokenizer.pad_token_id))
        size = opened.weights.get_input_embeddings().num_embeddings
        assert int(batch["input_ids"].max()) < size


def test_no_eos_is_refused_for_plain_prompts_too(tmp_path):
    target = model(tmp_path, template="plain")
    changed(Path(target.source), "tokenizer_config.json", eos_token=None)
    with pytest.raises(ConfigError, match="no end-of-text token"):
        target.preflight()
