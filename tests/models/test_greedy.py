"""Greedy decoding is greedy in every engine, whatever the base's generation_config.json says."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from sei.data.arithmetic import Arithmetic
from sei.engines import server
from sei.engines.lightning import LightningEngine
from sei.engines.openai_server import ServedEngine
from sei.engines.served import prompts_for
from sei.finetuners.grpo import GRPO, Groups
from sei.grading import MathGrader
from sei.lit.shared_prefix import SharedPrefix
from sei.lit.trainer import TrainerSettings
from sei.models import portable
from sei.models.greedy import SAID_TO_TRL, changes_decoding, unused
from sei.models.target import TargetModel
from sei.opened import Sampling, ends_of
from tests.builders import TINY
from tests.conftest import ROOT

IN_PROCESS = LightningEngine(trainer=TrainerSettings(), batch_size=16, max_new_tokens=60)
SERVER = ROOT / "tests" / "generating_server.py"
ASKED = [p.question for p in Arithmetic(pool=30, dev=10, test=10).load().pool[:8]]
PENALTY = {"repetition_penalty": 1.3, "do_sample": True, "temperature": 0.7, "top_k": 20, "top_p": 0.8}
MORE = {"no_repeat_ngram_size": 2, "suppress_tokens": [5, 6], "begin_suppress_tokens": [4], "min_new_tokens": 50,
        "bad_words_ids": [[7]], "forced_eos_token_id": 3, "num_beams": 2, "length_penalty": 2.0, "max_length": 70,
        "typical_p": 0.9, "exponential_decay_length_penalty": [2, 1.5], "sequence_bias": [[[8], -9.0]],
        "stop_strings": ["="], "guidance_scale": 1.5, "num_return_sequences": 2, "max_time": 0.01}  # fmt: skip


def with_generation(folder: Path, generation: dict) -> TargetModel:
    """Return the embedded model in a new folder, with other decoding settings."""
    folder.mkdir()
    for path in TINY.folder().iterdir():
        if path.name != "generation_config.json":
            (folder / path.name).symlink_to(path)
    portable.mend(folder)  # so that only its decoding settings differ
    held = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    (folder / "generation_config.json").write_text(json.dumps({**held, **generation}))
    return TargetModel(name="tiny", source=str(folder), template="plain")


def answers(target: TargetModel) -> list[str]:
    with target.open(target.base()) as opened:
        found = IN_PROCESS.answer(opened, opened.prompts(ASKED), frozenset(), "x")
        return [a.text for a in sorted(found)]


@pytest.fixture(scope="module")
def expected() -> list[str]:
    return answers(TINY)


@pytest.fixture(autouse=True)
def none_left():
    yield
    server.stop()


def test_a_repetition_penalty_changes_no_answer(tmp_path, expected, monkeypatch):
    """A repetition penalty changes no answer: not in process, not in context, not served."""
    target = with_generation(tmp_path / "base", PENALTY)
    assert answers(target) == expected
    with target.open(target.base()) as opened:
        ((*shared,),) = SharedPrefix(opened).answers([opened.prompts(ASKED)], *IN_PROCESS.limits())
    assert [a.text for a in shared] == expected
    monkeypatch.setattr(portable, "view", lambda folder: None)  # the server reads the penalty, and requests undo it
    served = ServedEngine(command=f"{{python}} {SERVER} {{model}} {{port}}", max_new_tokens=60, startup=60)
    with served.open(target, target.base()) as asked:
        prompts = asked.prompts(ASKED)
        found = sorted(served.answer(asked, prompts, frozenset(), "x"), key=lambda a: a.at)
        assert [a.text for a in found] == expected
        body = served._request(prompts_for(asked, prompts, tokens=True)[3], 3, None).body("m", structured=False)
        body = json.dumps({k: v for k, v in body.items() if k != "repetition_penalty"}).encode()
        with urllib.request.urlopen(f"{asked.url}/completions", body) as reply:
            assert json.load(reply)["choices"][0]["text"] != expected[3]  # the server follows its folder


def test_a_served_folder_lacks_what_requests_cannot_take_back(tmp_path):
    base = with_generation(tmp_path / "base", {**PENALTY, **MORE}).folder()
    given = portable.view(base)
    assert json.loads((given / "generation_config.json").read_text()) == {
        "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "do_sample": False,
    }  # fmt: skip
    assert "repetition_penalty" in (base / "generation_config.json").read_text()
    portable.discard(given)
    assert not given.exists()


def test_none_of_the_settings_that_there_are_changes_an_answer(tmp_path, expected):
    assert answers(with_generation(tmp_path / "base", {**PENALTY, **MORE})) == expected


def test_settings_in_an_older_models_config_are_not_used_either(tmp_path, expected):
    target = with_generation(tmp_path / "base", {})
    (target.folder() / "generation_config.json").unlink()
    config = json.loads((target.folder() / "config.json").read_text())
    more = {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2}
    (target.folder() / "config.json").write_text(json.dumps(config | more))
    assert answers(target) == expected
    assert target.unused_generation() == more
    given = portable.view(target.folder())
    assert "no_repeat_ngram_size" not in (given / "generation_config.json").read_text()
    portable.discard(given)


@pytest.mark.parametrize(("name", "value"), MORE.items())
def test_settings_are_named(name, value):
    assert unused({name: value, "eos_token_id": 2, "use_cache": True, "top_p": None}) == {name: value}
    assert changes_decoding({name: value}) == (name != "max_length")
    assert changes_decoding({name: value}, SAID_TO_TRL) == (name != "max_length")


def test_a_fit_by_grpo_is_made_anew_only_where_draws_differed(tmp_path):
    how = {"trainer": TrainerSettings(), "grader": MathGrader(), "schedule": Groups()}
    changed = with_generation(tmp_path / "a", {"no_repeat_ngram_size": 2})
    said = with_generation(tmp_path / "b", PENALTY)
    assert [bool(GRPO(target=t, **how).reads()) for t in (changed, said, TINY)] == [True, False, False]


def test_neutral_settings_are_no_news():
    assert unused({"do_sample": False, "repetition_penalty": 1.0, "num_beams": 1, "transformers_version": "5"}) == {}
    assert changes_decoding(PENALTY)  # a server with a text API only does not get repetition_penalty
    assert not changes_decoding(PENALTY, SAID_TO_TRL)
    assert not changes_decoding({"do_sample": True, "temperature": 0.6, "top_p": 0.9, "max_length": 4096})


def test_a_draw_is_from_the_whole_distribution(tmp_path):
    target = with_generation(tmp_path / "base", {**PENALTY, "no_repeat_ngram_size": 2, "top_k": 1})
    drawn = []
    for t in (TINY, target):
        with t.open(t.base()) as opened:
            how = Sampling(1.5, 3)
            drawn.append([a.text for a in IN_PROCESS.answer(opened, opened.prompts(ASKED), frozenset(), "x", how)])
    assert drawn[0] == drawn[1]


def test_an_answer_ends_at_any_end_token_in_every_decoder(tmp_path):
    """The most frequent token of the answers becomes a second end of text, like <|eom_id|> in Llama 3."""
    with TINY.open(TINY.base()) as opened:
        hashes = opened.tokenizer.convert_tokens_to_ids("####")
    target = with_generation(tmp_path / "base", {"eos_token_id": [hashes]})
    with target.open(target.base()) as opened:
        assert ends_of(opened) == {hashes, 2}  # the tokenizer's own EOS always counts, since training ends with it
        prompts = opened.prompts(ASKED)
        found = [(a.text, a.finished) for a in sorted(IN_PROCESS.answer(opened, prompts, frozenset(), "x"))]
        ((*shared,),) = SharedPrefix(opened).answers([prompts], *IN_PROCESS.limits())
    assert found == [(a.text, a.finished) for a in shared]
    assert all(finished for _, finished in found)
    assert not any("####" in text for text, _ in found)


def test_every_request_says_outright_that_greedy_is_meant(tmp_path):
    body = ServedEngine(url="http://x/v1")._request((1, 2), 0, None).body("m", structured=False)
    assert {k: body[k] for k in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")} == {
        "temperature": 0.0, "top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0,
    }  # fmt: skip
    assert body["repeat_penalty"] == 1.0
    assert body["presence_penalty"] == body["frequency_penalty"] == 0.0
    drawn = ServedEngine(url="http://x/v1")._request((1, 2), 0, Sampling(0.7, 1)).body("m", structured=False)
    assert {**drawn, "temperature": 0.0} == {**body, "seed": 1}
    text = ServedEngine(url="http://x/v1", prompt="text")._request("1+1?", 0, None).body("m", structured=False)
    assert set(body) - set(text) == {"top_k", "min_p", "repetition_penalty", "repeat_penalty"}  # not in OpenAI's API
    assert text["frequency_penalty"] == text["presence_penalty"] == 0.0
