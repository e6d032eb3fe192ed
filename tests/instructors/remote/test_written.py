"""Texts that only stand for a text: placeholders, words for nothing, keys that stand there twice, lost characters."""

from __future__ import annotations

import json

import pytest

from sei.exchange import Draft, Exemplar, SynthesisRequest
from sei.instructors.remote.drafts import draft_of
from sei.instructors.remote.replies import keyphrase_request, solve_request
from sei.records import Rejection
from tests.builders import case, problem
from tests.instructors.remote.calls import four, instructor
from tests.instructors.remote.fault_server import FaultServer

GOOD = json.dumps({"first_wrong_step": "s", "keyphrase": "adds instead"})
P = {"question": "What is 2 + 3?", "solution": "2 + 3 = 5", "answer": "5"}
CHECK = keyphrase_request("q", "s", "a", temperature=None).check


@pytest.fixture
def server():
    made = FaultServer(lambda _: GOOD)
    yield made
    made.close()


def phrase(text):
    return json.dumps({"first_wrong_step": "...", "keyphrase": text})


def drafted(like=(), **more) -> Draft | Rejection:
    return draft_of({**P, **more}, "t", (), like, verify=False, ending="hash")


@pytest.mark.parametrize("text", ["...", "…", "<...>", '"..."', ". . .", "the phrase", "<phrase>", "..", "。。。"])
def test_a_placeholder_is_no_keyphrase(text):
    assert CHECK(f"{GOOD}\nFormat: {phrase(text)}").value.keyphrase == "adds instead"
    with pytest.raises(ValueError, match=r"keyphrase: .*(repeats|at least 2)"):
        CHECK(phrase(text))


@pytest.mark.parametrize(
    "text",
    ["none", "N/A", "null", "Unknown", "no mistake", "No error.", "there is no error", "no mistake found", "nothing",
     "not applicable", "n.a.", "no errors"],
)  # fmt: skip
def test_words_for_nothing_are_counted_as_refused(server, tmp_path, text):
    server.reply = lambda _: phrase(text)
    (found,) = instructor(server, tmp_path).diagnose([four()])
    assert found.rejection.reason == "off_contract"
    assert "names no mistake" in server.log[1].body["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("written", "read"),
    [("no carrying over", "no carrying over"), ("unknown is isolated wrongly", "unknown is isolated wrongly"),
     ("加法", "加法"), (["adds instead"], "adds instead"), ("none of the units is converted",) * 2],
)  # fmt: skip
def test_a_keyphrase_that_names_a_cause_is_used(written, read):
    assert CHECK(phrase(written)).value.keyphrase == read


@pytest.mark.parametrize("text", ["ab", "三", ["a b c", "d e f"]])
def test_what_is_too_short_or_several_is_refused(text):
    with pytest.raises(ValueError, match="keyphrase"):
        CHECK(phrase(text))


@pytest.mark.parametrize("answer", ["null", "None", "NaN", "N/A", "unknown", "none.", "`null`", "**Unknown**"])
def test_a_word_for_no_answer_is_counted_as_refused(answer):
    found = drafted(answer=answer)
    assert isinstance(found, Rejection)
    assert (found.reason, "is a word for no answer" in found.detail) == ("off_contract", True)


def test_a_word_for_no_answer_may_be_an_option_or_shown(server, tmp_path):
    found = drafted(like=("A) 7", "B) 8"), options=["5", "None"], answer="None")
    assert isinstance(found, Draft)
    assert found.answer == "B"
    server.reply = lambda _: json.dumps({"problems": [{**P, "answer": "Unknown"}]})
    for end, kept in (("#### unknown", 1), ("#### 5", 0)):
        shown = (Exemplar(id="e", question="Is it so?", solution=f"Nothing says so.\n{end}"),)
        request = SynthesisRequest(error_type="t", exemplars=shown, n=1, index=1, seed=0)
        (reply,) = instructor(server, tmp_path, verify=False).write([request])
        assert (len(reply.drafts), len(reply.rejections)) == (kept, 1 - kept)
    server.reply = lambda _: json.dumps({"solution": "Nothing says so.", "answer": "unknown"})
    asked = [case(problem(1, "Is it?", answer="unknown", solution="s"), "x"), four()]
    known, lost = instructor(server, tmp_path / "b", verify=False).correct(asked)
    assert ([d.answer for d in known.drafts], [r.reason for r in lost.rejections]) == (["unknown"], ["off_contract"])


def test_a_solver_may_say_that_there_is_no_answer():
    assert solve_request("q", temperature=None).check('{"solution": "s", "answer": "none"}').value.answer == "none"


@pytest.mark.parametrize(
    ("answer", "read"),
    [("The answer is 12.", "12"), ("`12`", "12"), ('"12"', "12"), ("Answer: 12.5", "12.5"), ("“12”", "12"),
     ("The final answer is $\\boxed{12}$.", "12"), ('"a" and "b"', '"a" and "b"'), ("The answers are 1 and 2",) * 2],
)  # fmt: skip
def test_an_answer_is_taken_out_of_its_wrapping(answer, read):
    found = drafted(answer=answer)
    assert isinstance(found, Draft)
    assert found.answer == read


def test_an_option_in_quotes_is_still_named_by_its_text():
    found = drafted(like=("A) 7", "B) 8"), options=['"5"', '"6"'], answer='"6"')
    assert isinstance(found, Draft)
    assert found.answer == "B"


@pytest.mark.parametrize("part", [{"question": "..."}, {"solution": "…"}, {"answer": '"..."'}])
def test_dots_are_no_text_of_a_problem(part):
    found = drafted(**part)
    assert isinstance(found, Rejection)
    assert "repeats the dots" in found.detail
    options = drafted(like=("A) 7", "B) 8"), options=["5", "..."], answer="A")
    assert isinstance(options, Rejection)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"solution": "s", "answer": "3", "answer": "4"}', "answer"),
        ('{"solution": "s", "answer": 3, "solution": "t"}', "solution"),
        ('{"solution": "s", "answer": "3", "answer": "4", "answer": "3"}', "answer"),
    ],
)
def test_a_key_that_stands_twice_is_refused(text, named):
    with pytest.raises(ValueError, match=f"{named}: it stands there twice"):
        solve_request("q", temperature=None).check(text)


@pytest.mark.parametrize(
    "text",
    ['{"solution": "s", "answer": "3", "answer": "3"}', '{"note": 1, "note": 2, "solution": "s", "answer": "3"}'],
)
def test_a_key_that_stands_twice_alike_or_unused_is_read(text):
    assert solve_request("q", temperature=None).check(text).value.answer == "3"


def test_an_unused_step_may_stand_twice():
    text = '{"first_wrong_step": "a", "first_wrong_step": "b", "keyphrase": "adds instead"}'
    assert CHECK(text).value.keyphrase == "adds instead"


@pytest.mark.parametrize("lost", ["\\ud83d", "\ufffd", "\\ude00"])
def test_a_text_that_lost_a_character_is_refused(lost):
    with pytest.raises(ValueError, match="has lost a character"):
        CHECK(f'{{"first_wrong_step": "s", "keyphrase": "adds {lost} instead"}}')
    assert CHECK(f'{{"first_wrong_step": "s {lost}", "keyphrase": "adds instead"}}').value.keyphrase == "adds instead"
    assert CHECK('{"keyphrase": "adds \\ud83d\\ude00 instead"}').value.keyphrase == "adds \U0001f600 instead"
