from __future__ import annotations

import json

import pytest

from sei.engines.lightning import LightningEngine
from sei.errors import DataError
from sei.lit.trainer import TrainerSettings
from sei.models.target import TargetModel
from sei.opened import OpenModel
from sei.prompts import asked
from sei.store import digest
from tests.builders import TINY
from tests.doubles import Tokenizer


def opened(**more) -> OpenModel:
    return OpenModel(model=None, tokenizer=Tokenizer(), **more)


def test_plain_and_chat_templates():
    assert opened(template="plain").prompts(["1+1?"]) == ["Question: 1+1?\nAnswer:"]
    assert opened(template="chat").prompts(["1+1?"]) == ["[user] 1+1?\n[assistant] "]


@pytest.mark.parametrize(("ask", "words"), [("hash", '"#### "'), ("boxed", "\\boxed{}")])
def test_the_answer_format_is_asked_for(ask, words):
    (prompt,) = opened(template="chat", ask=ask).prompts(["What is $x$?"])
    assert words in prompt
    assert "What is $x$?" in prompt  # nothing inside a question is expanded


def test_examples_come_first_and_a_demonstration_last():
    model = opened(template="chat", ask="hash", shots=(("2+2?", "#### 4"),))
    (prompt,) = model.prompts(["1+1?"], ("3+3?", "#### 6"))
    assert [prompt.index(x) for x in ("2+2?", "#### 4", "3+3?", "#### 6", "1+1?")] == sorted(
        prompt.index(x) for x in ("2+2?", "#### 4", "3+3?", "#### 6", "1+1?")
    )
    assert prompt.count('"#### "') == 3  # every question is asked in the same way
    plain = opened(template="plain", shots=(("2+2?", "#### 4"),)).prompts(["1+1?"])
    assert plain == ["Question: 2+2?\nAnswer:\n#### 4\n\nQuestion: 1+1?\nAnswer:"]


def test_options_are_shown_and_a_letter_is_wanted():
    shown = asked("Which?", ("(A) 3", "(B) $4"))
    assert "Which?\n\nOptions:\n(A) 3\n(B) $4\n" in shown
    assert "letter" in shown
    assert asked("Which?", ()) == "Which?"


def test_few_shot_examples_of_a_file_stand_in_the_key(tmp_path):
    path = tmp_path / "shots.jsonl"
    path.write_text(json.dumps({"question": "2+2?", "solution": "#### 4"}) + "\n")
    settings = {"name": "tiny", "source": "packaged:tiny_l", "template": "plain"}
    target = TargetModel(**settings, few_shot=str(path))
    assert target.shots() == (("2+2?", "#### 4"),)
    before = digest(target)
    path.write_text(json.dumps({"question": "2+3?", "solution": "#### 5"}) + "\n")
    assert digest(target) != before
    path.write_text('{"question": "2+2?"}\n')
    with pytest.raises(DataError, match=r"shots.jsonl line 1: lacks \['solution'\]"):
        target.shots()


def test_training_pairs_are_encoded_without_examples(tmp_path):
    path = tmp_path / "shots.jsonl"
    path.write_text(json.dumps({"question": "How many legs?", "solution": "#### 4"}) + "\n")
    settings = {"name": "tiny", "source": "packaged:tiny_l", "template": "plain"}
    bare, shown = TargetModel(**settings), TargetModel(**settings, few_shot=str(path))
    with bare.open(bare.base()) as a, shown.open(shown.base()) as b:
        assert a.encode([("Anna has 3 pens.", "#### 3")]) == b.encode([("Anna has 3 pens.", "#### 3")])
        assert a.prompts(["Anna has 3 pens."]) != b.prompts(["Anna has 3 pens."])


def test_an_answer_ends_at_a_stop_string():
    target = TINY
    question = "Anna has 7 pens. Ben gives Anna 3 more pens. How many pens does Anna have?"
    with target.open(target.base()) as model:
        prompts = model.prompts([question])

        def answer(*stop):
            engine = LightningEngine(trainer=TrainerSettings(), stop=list(stop))
            return next(engine.answer(model, prompts, frozenset(), "x"))

        whole = answer()
        assert "####" in whole.text
        assert answer("####").text == whole.text.split("####")[0].strip()
        assert answer("####").finished
