"""Multiple choice and the instructor: what it is shown, what it must return, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sei.exchange import Draft, Exemplar, Reply, SynthesisRequest
from sei.instructors.remote.choices import letter_of, lettered, listed
from sei.records import PoolProblem, RefinedSet, Scored
from sei.stages.curriculum import Curriculum
from sei.stages.harvest import example, with_options
from sei.stages.synthesize import exemplar, exemplars
from tests.builders import case, screen
from tests.instructors.remote.calls import instructor
from tests.instructors.remote.fault_server import FaultServer

OPTIONS = ("A)24", "B)30", "C)36")
POSED = PoolProblem(id="p", question="6 times 6?", answer="C", solution="6*6=36\n#### C", options=OPTIONS)
WRITTEN = {"question": "5 times 5?", "options": ["20", "25", "30"], "solution": "5*5=25, so B", "answer": "B"}


@pytest.fixture
def server():
    server = FaultServer(lambda _: "")
    yield server
    server.close()


def like(*shown: Exemplar) -> SynthesisRequest:
    return SynthesisRequest(error_type="t", exemplars=shown or exemplars([POSED]), n=1, index=1, seed=0)


def write(server, tmp_path, problem: dict, request: SynthesisRequest | None = None, **more) -> Reply:
    server.reply = lambda _: json.dumps({"problems": [problem]})
    return next(iter(instructor(server, tmp_path, **more).write([request or like()])))


def test_a_diagnosis_sees_the_options_and_the_right_one(server, tmp_path):
    text = instructor(server, tmp_path).keyphrase_request(case(POSED, "B")).messages[0][1]
    assert all(json.dumps(o)[1:-1] in text for o in OPTIONS)
    assert "The right option is C." in text


def test_a_request_shows_options_and_asks_for_options(server, tmp_path):
    request = instructor(server, tmp_path).synthesis_request(like())
    text = request.messages[0][1]
    assert all(json.dumps(o) in text for o in OPTIONS)
    assert '"answer": "C"' in text
    assert "multiple choice" in text
    item = request.schema["properties"]["problems"]["items"]
    assert item["properties"]["options"] == {"type": "array", "items": {"type": "string"}}
    assert "options" in item["required"]


def test_without_options_the_request_is_what_it_was(server, tmp_path):
    request = instructor(server, tmp_path).synthesis_request(like(Exemplar(id="e", question="q", solution="s")))
    assert "options" not in request.messages[0][1]
    assert set(request.schema["properties"]["problems"]["items"]["properties"]) == {"question", "solution", "answer"}


@pytest.mark.parametrize(
    "given",
    [
        WRITTEN,
        {**WRITTEN, "options": ["A) 20", "B) 25", "C) 30"], "answer": "(b)"},
        {**WRITTEN, "options": {"A": "20", "B": "25", "C": "30"}, "answer": "25"},
        {**WRITTEN, "options": [20, 25, 30], "answer": "B) 25"},
    ],
    ids=["plain", "lettered", "object", "numbers"],
)
def test_options_are_lettered_like_those_shown(server, tmp_path, given):
    (draft,) = write(server, tmp_path, given).drafts
    assert draft.options == ("A)20", "B)25", "C)30")
    assert draft.answer == "B"
    assert draft.solution.endswith("\n#### B")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({**WRITTEN, "options": []}, "multiple choice was asked for"),
        ({k: v for k, v in WRITTEN.items() if k != "options"}, "multiple choice was asked for"),
        ({**WRITTEN, "options": ["25"]}, "options: 1 are given"),
        ({**WRITTEN, "options": ["25", "25"]}, "that no other repeats"),
        ({**WRITTEN, "options": ["20", ""]}, "it is empty"),
        ({**WRITTEN, "answer": "26"}, "names no option"),
        ({**WRITTEN, "answer": "E"}, "names no option"),
        ({**WRITTEN, "options": ["(B) 20", "(A) 25", "(C) 30"]}, "letters are B, A, C"),
        ({**WRITTEN, "options": ["B) 20", "C) 25", "D) 30"], "answer": "C"}, "letters are B, C, D"),
        ({**WRITTEN, "options": ["C. elegans", "E. coli", "D. melanogaster"]}, "letters are C, E, D"),
    ],
)
def test_a_problem_without_usable_options_is_refused(server, tmp_path, given, words):
    reply = write(server, tmp_path, given)
    assert reply.drafts == ()
    assert [(r.reason, words in r.detail) for r in reply.rejections] == [("off_contract", True)]


def test_an_answer_with_letter_and_text_is_read_in_any_style(server, tmp_path):
    given = {**WRITTEN, "options": ["A. 20", "B. 25"], "answer": "B. 25"}
    (draft,) = write(server, tmp_path, given, like(*exemplars([replace(POSED, options=("(A) 24", "(B) 30"))]))).drafts
    assert (draft.answer, draft.options) == ("B", ("(A) 20", "(B) 25"))


def test_a_letter_of_one_option_alone_belongs_to_its_text(server, tmp_path):
    (draft,) = write(server, tmp_path, {**WRITTEN, "options": ["A. Smith", "two men", "none"]}).drafts
    assert draft.options == ("A)A. Smith", "B)two men", "C)none")


def test_options_nobody_asked_for_are_refused(server, tmp_path):
    plain = like(Exemplar(id="e", question="q", solution="s"))
    assert [r.reason for r in write(server, tmp_path, WRITTEN, plain).rejections] == ["off_contract"]


def test_a_solution_that_names_another_option_is_refused(server, tmp_path):
    reply = write(server, tmp_path, {**WRITTEN, "solution": "5*5=20, so A\n#### A"})
    assert [r.reason for r in reply.rejections] == ["answer_mismatch"]


def test_agreement_is_asked_with_the_options(server, tmp_path):
    def reply(body):
        text = body["messages"][0]["content"]
        solved = {"solution": "25", "answer": "25"}
        return json.dumps({"problems": [WRITTEN]} if "practice problems" in text else solved)

    server.reply = reply
    (made,) = instructor(server, tmp_path, agreement=True).write([like()])
    assert len(made.drafts) == 1
    assert "A)20" in server.log[-1].body["messages"][0]["content"]


def test_a_correction_keeps_the_options(server, tmp_path):
    server.reply = lambda _: json.dumps({"solution": "6*6=36", "answer": "36"})
    (reply,) = instructor(server, tmp_path).correct([case(POSED, "B")])
    assert "A)24" in server.log[0].body["messages"][0]["content"]
    assert [(d.options, d.answer) for d in reply.drafts] == [(OPTIONS, "C")]


def test_rules_that_forget_the_options_are_refused_by_reason():
    chosen = Draft(question="r", solution="s", answer="A", options=("A)1", "B)2"))
    drafts = (Draft(question="q", solution="s", answer="1"), chosen)
    found = with_options(Reply(drafts=drafts), like(), "t")
    assert [d.question for d in found.drafts] == ["r"]
    assert [(r.reason, r.detail) for r in found.rejections] == [("without_options", "q")]
    mixed = like(exemplar(POSED), Exemplar(id="e", question="q", solution="s"))
    assert with_options(Reply(drafts=drafts), mixed, "t").drafts == drafts


def test_training_rows_hold_the_options():
    made = example(Draft(question="q?", solution="s", answer="A", options=("A)1", "B)2")), "t", 1)
    kept = RefinedSet(scored=(Scored(example=made, score=1.0, kept=True, reason=""),))
    lesson = Curriculum(replay=1)([kept], [POSED], screen(), seed=0)
    assert [x.options for x in lesson.examples] == [made.options, OPTIONS]
    assert all("\n".join(x.options) in x.question for x in lesson.examples)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["A.$x$", "B.$y$"], ("(A) $x$", "(B) $y$")),
        (["A.-3", "B.-4"], ("(A) -3", "(B) -4")),
        (["A:(1,2)", "B:(2,1)"], ("(A) (1,2)", "(B) (2,1)")),
        (["A.None", "B.Both"], ("(A) None", "(B) Both")),
        (["(A)3", "(B)4"], ("(A) 3", "(B) 4")),
        (["a)3", "b)4"], ("(A) 3", "(B) 4")),
    ],
)
def test_letters_without_a_blank_are_removed(given, read):
    assert lettered(given, ["(A) 1", "(B) 2"]) == read


def test_letters_follow_the_options_that_were_shown():
    assert lettered(["1", "2"], ["(A) 7", "(B) 8"]) == ("(A) 1", "(B) 2")
    assert lettered(["-1", "2"], ["a. 7"]) == ("a. -1", "b. 2")
    assert lettered(["1", "2"], ["7", "8"]) == ("(A) 1", "(B) 2")
    assert letter_of("$2$.", ("(A) 1", "(B) 2")) == "B"
    assert listed({"B": 1, "A": 2}) == {"B": 1, "A": 2}
