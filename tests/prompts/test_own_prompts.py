"""Your own prompt files: the target's question and layout, and every request to an instructor."""

from __future__ import annotations

import json

import pytest

from sei.__main__ import check
from sei.errors import ConfigError
from sei.instructors.remote.instructor import OpenAICompatible
from sei.job import perform
from sei.models.target import TargetModel
from sei.prompts import OWN, render, template
from sei.store import digest
from tests.builders import case, problem
from tests.compose import SHORT, built, composed

ASK = "$question Give only the number."
LAYOUT = "Q: $question\nA: "


def target(**more) -> TargetModel:
    return TargetModel(**{"name": "tiny", "source": "packaged:tiny_l", "template": "plain", **more})


def file(folder, text: str, name: str = "own.txt") -> str:
    (folder / name).write_text(text, "utf-8")
    return str(folder / name)


def teacher(**prompts: str) -> OpenAICompatible:
    where = {"base_url": "http://127.0.0.1:1/v1", "cache": "a.sqlite", "api_key_env": ""}
    return OpenAICompatible(model="m", prompts=dict(prompts), **where)


def test_question_and_layout_are_those_of_the_files(tmp_path):
    own = target(ask=file(tmp_path, ASK), template=file(tmp_path, LAYOUT, "layout.txt"))
    opened = own.without_weights()
    assert opened.prompts(["1+1?"]) == ["Q: 1+1? Give only the number.\nA: "]
    (shown,) = opened.prompts(["1+1?"], ("2+2?", "4"))
    assert shown == "Q: 2+2? Give only the number.\nA: 4\n\nQ: 1+1? Give only the number.\nA: "
    (pair,) = opened.encode([("1+1?", "2")])
    assert opened.tokenizer.decode(pair.completion[:-1]).strip() == "2"


def test_a_layout_that_ends_in_words_breaks_the_line(tmp_path):
    opened = target(template=file(tmp_path, "Q: $question\nA:")).without_weights()
    assert (opened.glue, target().without_weights().glue) == ("\n", "\n")
    assert target(template=file(tmp_path, LAYOUT)).without_weights().glue == ""


@pytest.mark.parametrize("mark", ["$answer", "${answer}", "$answer\n"])
@pytest.mark.parametrize("glue", [" ", "\n\n", ""])
def test_a_layout_may_say_where_the_answer_begins(tmp_path, mark, glue):
    """As in lm-evaluation-harness: the prompt ends before the space, and the space belongs to the answer."""
    own = target(template=file(tmp_path, f"Q: $question\nA:{glue}{mark}", "layout.txt"))
    opened = own.without_weights()
    assert opened.prompts(["1+1?"]) == ["Q: 1+1?\nA:"]
    (shown,) = opened.prompts(["1+1?"], ("2+2?", "4"))
    assert shown == f"Q: 2+2?\nA:{glue}4\n\nQ: 1+1?\nA:"
    assert opened.glue == glue


def test_a_written_out_dollar_answer_is_no_mark(tmp_path):
    opened = target(template=file(tmp_path, "Q: $question, as $$answer")).without_weights()
    assert (opened.prompts(["1+1?"]), opened.glue) == (["Q: 1+1?, as $answer"], "\n")


@pytest.mark.parametrize("text", ["$question $answer.", "$answer $question", "$question $answer $answer"])
def test_an_answer_that_is_not_last_is_refused(tmp_path, text):
    with pytest.raises(ConfigError, match=r"model\.template=.*it occurs once, at the end.*Remedy"):
        target(template=file(tmp_path, text))


def test_the_text_of_a_file_is_in_the_key(tmp_path):
    own = target(ask=file(tmp_path, ASK))
    before = digest(own)
    file(tmp_path, ASK + " Be brief.")
    assert digest(own) != before
    assert digest(teacher()) != digest(teacher(keyphrase=file(tmp_path, template("keyphrase.v1") + " Briefly.")))


@pytest.mark.parametrize("name", ["ask", "template"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no question", r"lacks \$question"),
        ("$question $reply", r"unknown placeholders \$reply"),
        ("$5 $question", "no placeholder"),
    ],
)
def test_a_file_without_its_placeholder_is_refused(tmp_path, name, text, words):
    with pytest.raises(ConfigError, match=words) as found:
        target(**{name: file(tmp_path, text)})
    assert f"model.{name}=" in str(found.value)


@pytest.mark.parametrize(("name", "value"), [("ask", "bxed"), ("template", "chatml"), ("ask", "ask.txt")])
def test_an_unknown_way_of_asking_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"model.{name}={value}: must be .*or the path"):
        target(**{name: value})


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.txt: cannot be read"):
        target(ask=str(tmp_path / "none.txt"))


def test_an_own_keyphrase_prompt_is_sent(tmp_path):
    own = teacher(keyphrase=file(tmp_path, "Name the mistake in $data, $$5."))
    text = own.keyphrase_request(case(problem(1, "1+1?", answer="2"), "3")).messages[0][1]
    assert text.startswith("Name the mistake in {")
    assert text.endswith(", $5.")


@pytest.mark.parametrize("name", OWN)
def test_every_request_can_be_replaced_and_must_keep_its_fields(tmp_path, name):
    text = template(f"{name}.v1")
    assert teacher(**{name: file(tmp_path, f"{text} Please.")}).prompt(name) == str(tmp_path / "own.txt")
    with pytest.raises(ConfigError, match=rf"prompts\.{name}=.*lacks .*\$data"):
        teacher(**{name: file(tmp_path, text.replace("$data", "data"))})


def test_unknown_requests_and_plain_words_are_refused():
    with pytest.raises(ConfigError, match=r"prompts\.keyphrases=./a.txt: unknown request"):
        teacher(keyphrases="./a.txt")
    with pytest.raises(ConfigError, match=r"prompts\.keyphrase=name the error: not a path"):
        teacher(keyphrase="name the error")


def test_the_config_hands_prompts_to_the_instructor(tmp_path):
    own = file(tmp_path, template("keyphrase.v1") + " Briefly.")
    method = built("instructor=openai_compatible", f"prompts.keyphrase={own}")["method"]
    assert method.diagnose.instructor.prompt("keyphrase") == own


def test_prompts_for_rules_are_refused(tmp_path):
    own = file(tmp_path, template("keyphrase.v1"))
    with pytest.raises(ConfigError, match=r"prompts\.keyphrase=.*instructor=symbolic works by rules"):
        built(f"prompts.keyphrase={own}")


def test_every_packaged_request_has_a_template():
    assert [n for n in OWN if "$data" not in template(f"{n}.v1")] == []
    assert render("choices.v1", request="x").startswith("x\n")


@pytest.mark.slow
def test_exports_hold_the_prompt_as_the_model_saw_it(tmp_path):
    own = f"model.ask={file(tmp_path, '$question How many?')}"
    perform(check(*composed(*SHORT, "rounds=1", own, f"store={tmp_path / 'store'}")), tmp_path / "run")
    first = (tmp_path / "run" / "prompt.txt").read_text("utf-8")
    assert first.startswith("Question: ")
    assert first.endswith(" How many?\nAnswer:")
    (samples,) = (tmp_path / "run" / "base" / "lm_eval").glob("samples_arithmetic_test_*")
    rows = [json.loads(x) for x in samples.read_text("utf-8").splitlines()]
    assert all("? How many?" in r["arguments"]["gen_args_0"]["arg_0"] for r in rows)


def test_words_of_an_own_prompt_must_be_known_too(tmp_path):
    own = f"model.ask={file(tmp_path, ASK)}"
    with pytest.raises(ConfigError, match=r"does not know words of .* 'Give' in"):
        perform(check(*composed(*SHORT, own, f"store={tmp_path / 'store'}")), tmp_path / "run")
