"""MetaMath, Evol-Instruct and learning by contrast against a loopback server."""

from __future__ import annotations

import json
import re

import pytest

from sei.errors import RoleError
from sei.grading import MathGrader
from sei.instructors.remote.instructor import OpenAICompatible
from sei.models.embedder import SentenceEmbedder
from sei.stages.synthesize import Budget
from sei.synthesizers.evol_instruct import EvolInstruct
from sei.synthesizers.learning_from_error import LearningFromError
from sei.synthesizers.llm2llm import LLM2LLM
from sei.synthesizers.metamath import MetaMath
from tests.builders import case, error_map, held_out, pool, screen
from tests.instructors.remote.fault_server import FaultServer
from tests.instructors.remote.teacher import Teacher, data_in

SCREEN = screen()
POOL = pool(40)
CASES = tuple(case(p, f"attempt at {p.id}") for p in POOL[:6])
ERRORS = error_map(CASES[:4], CASES[4:], name="secret type")
GOLD = {p.question: p.answer for p in POOL}


class Rewriter(Teacher):
    """Rewrites as requested; if a request contains ``bad``, the answer differs from the required one."""

    def __init__(self, bad: str = "") -> None:
        super().__init__()
        self.bad, self.shown = bad, []

    def __call__(self, body):
        text = body["messages"][0]["content"]
        if "Write 1 new" not in text:
            return super().__call__(body)
        shown = data_in(text)
        self.shown.append((text, shown))
        kind = next((k for k in ("wordings", "statement", "goes backwards", "harder", "easier") if k in text), "new")
        number = len(self.shown)
        if kind == "wordings":
            question, answer = f"Told anew {number}: {shown['question']}", GOLD[shown["question"]]
        elif kind in ("statement", "goes backwards"):
            question = f"{shown['question']} It is {shown['final_answer']}, {kind} {number}. What is x?"
            source = next(q for q in GOLD if same(shown["question"], q))
            answer = hidden(shown["question"], source)
        else:
            question, answer = f"{kind} {number} {shown['question'][:20]} {number * 7}?", "5"
        answer = str(int(answer) + 1) if self.bad and self.bad in text else answer
        return json.dumps({"problems": [{"question": question, "solution": f"It is {answer}.", "answer": answer}]})


def same(masked: str, source: str) -> bool:
    return re.fullmatch(re.escape(masked).replace("x", r"(?:x|[\d.,]+)"), source) is not None


def hidden(masked: str, source: str) -> str:
    at = next(i for i, (a, b) in enumerate(zip(masked, source, strict=False)) if a != b)
    return re.match(r"\d+", source[at:])[0]


@pytest.fixture
def teacher():
    return Rewriter()


@pytest.fixture
def ask(teacher, tmp_path):
    server = FaultServer(teacher)
    yield OpenAICompatible(
        model="scripted",
        base_url=server.url,
        cache=str(tmp_path / "answers.sqlite"),
        api_key_env="",
        agreement=False,
        concurrency=1,
    )
    server.close()


def metamath(instructor, pool=POOL, candidates=30, seed=0):
    stage = MetaMath(instructor=instructor, budget=Budget(candidates=candidates), grader=MathGrader())
    return stage(ERRORS, pool, SCREEN, 1, seed=seed)


def test_metamath_rewrites_both_ways_and_shows_no_solution(ask, teacher):
    made = metamath(ask, candidates=80)
    assert len(made.candidates) == 80
    kinds = {k: sum(k in text for text, _ in teacher.shown) for k in ("wordings", "statement", "goes backwards")}
    assert min(kinds.values()) > 15
    validation = {b.problem.question for b in ERRORS.types[0].validation}
    for text, shown in teacher.shown:
        assert set(shown) in ({"question"}, {"question", "final_answer"})
        assert "secret type" not in text
        assert shown["question"] not in validation
    assert all(c.error_type == "pool" for c in made.candidates)
    assert made.usage.requests == len(teacher.shown)


def test_a_rewriting_whose_answer_changes_is_dropped_and_counted(ask, teacher):
    teacher.bad = "goes backwards"
    made = metamath(ask, candidates=40)
    dropped = [r.reason for r in made.rejections if r.reason == "answer_changed"]
    assert len(dropped) == sum("goes backwards" in text for text, _ in teacher.shown) > 0
    assert not any("goes backwards" in c.question for c in made.candidates)


def test_metamath_is_the_same_by_seed_and_asks_nothing_twice(ask, teacher):
    first, asked = metamath(ask), len(teacher.shown)
    assert metamath(ask) == first
    assert len(teacher.shown) == asked
    assert metamath(ask, seed=1).candidates != first.candidates


def test_evolution_goes_both_ways_and_on_from_what_it_made(ask, teacher):
    few = POOL[6:10]
    stage = EvolInstruct(instructor=ask, budget=Budget(candidates=16), turns=3, rouge_l=1.0)
    made = stage(ERRORS, few, SCREEN, 1, seed=0)
    assert len(made.candidates) == 16
    ways = [("are each somewhat harder" in text, "are each easier" in text) for text, _ in teacher.shown]
    assert {(True, False), (False, True)} == set(ways)
    questions = [shown["question"] for _, shown in teacher.shown]
    assert all(set(shown) == {"question", "solution"} for _, shown in teacher.shown)
    assert sum(q in GOLD for q in questions) == 8  # the first of every four, and again after three turns
    assert sum(q in {c.question for c in made.candidates} for q in questions) == 8
    held = held_out()
    with pytest.raises(RoleError, match="synthesize"):
        stage(ERRORS, (held,), SCREEN, 1, seed=0)


def test_single_error_baselines_show_what_their_papers_show(ask, teacher):
    LLM2LLM(instructor=ask, budget=Budget(candidates=4))(ERRORS, (), SCREEN, 1, seed=0)
    assert {frozenset(s) for _, s in teacher.shown} == {frozenset({"question", "solution"})}
    teacher.shown.clear()
    stage = LearningFromError(
        instructor=ask, budget=Budget(candidates=4, per_request=1), embedder=SentenceEmbedder(), contrast=True
    )
    stage(ERRORS, (), SCREEN, 1, seed=0, replay=POOL[10:20])
    for text, shown in teacher.shown:
        assert set(shown) == {"question", "wrong_attempt", "solved_questions"}
        assert len(shown["solved_questions"]) == 3
        assert set(shown["solved_questions"]) <= {p.question for p in POOL[10:20]}
        wrong = next(c for c in CASES[:4] if c.problem.question == shown["question"])
        assert shown["wrong_attempt"] == wrong.output
        assert wrong.problem.solution not in text  # no reference solution
        assert "secret type" not in text
