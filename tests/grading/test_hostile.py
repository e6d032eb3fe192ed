from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from sei.exchange import Outcome
from sei.grading import MathGrader, sandbox, worker
from sei.grading.pool import Pool, Question
from sei.grading.sandbox import LimitError, UnreadableError
from sei.records import Problem
from tests.grading.hostile import HOSTILE

pytestmark = pytest.mark.long
GRADER = MathGrader()


@pytest.fixture(scope="module", autouse=True)
def warm():
    GRADER.grade(Problem(id="x", question="", answer="\\sqrt{2}"), "\\boxed{\\sqrt{3}}")  # sympy is loaded once


@pytest.mark.parametrize(("name", "answer"), HOSTILE, ids=[n for n, _ in HOSTILE])
@pytest.mark.parametrize(("gold", "seconds"), [("3", 0.6), ("x^2+1", 0.1)])
def test_nothing_hangs_nothing_runs_nothing_is_right(gold, seconds, name, answer, tmp_path, monkeypatch):
    """Faults table, F19: at most two seconds per case, nothing executed."""
    monkeypatch.chdir(tmp_path)
    start = time.perf_counter()
    grader = MathGrader(seconds=seconds)
    outcome = grader.grade(Problem(id="x", question="", answer=gold), f"So it is \\boxed{{{answer}}}")
    assert time.perf_counter() - start < 2.0
    assert outcome.verdict != "right"
    assert list(tmp_path.iterdir()) == []
    assert not Path("/tmp/CANARY").exists()


@pytest.mark.slow
def test_memory_stays_bounded_over_all_hostile_answers():
    process = psutil.Process()
    before = process.memory_info().rss
    for _, answer in HOSTILE:
        MathGrader(seconds=0.1).grade(Problem(id="x", question="", answer="3"), f"\\boxed{{{answer}}}")
    assert process.memory_info().rss - before < 200 * 2**20
    assert sum(c.memory_info().rss for c in process.children(recursive=True)) < 2 * 2**30


@pytest.mark.slow
def test_fifty_bombs_in_a_row_cost_little_more_than_their_limits():
    """F19."""
    pool = Pool()
    pool.ask(Question("1", "2", 0.3))
    start = time.perf_counter()
    replies = [pool.ask(Question("3", f"({n}!)!", 0.1))["result"] for n in range(20_000, 20_050)]
    assert set(replies) == {"unreadable"}
    assert time.perf_counter() - start < 50 * (0.1 + 1)
    assert pool.ask(Question("2", "\\sqrt{4}", 0.5))["result"] == "same"  # and it still works
    pool.close()


def test_it_works_from_many_threads_at_once():
    """F19."""
    wrong: list[object] = []

    def work(i: int) -> None:
        problem = Problem(id="x", question="", answer=f"\\sqrt{{{i}}}")
        for answer, wanted in ((f"{i}^{{1/2}}", "right"), (f"\\sqrt{{{i + 1}}}", "wrong")):
            outcome = GRADER.grade(problem, f"\\boxed{{{answer}}}")
            if outcome.verdict != wanted or outcome.fault:
                wrong.append((i, answer, outcome))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2, 22)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_a_forked_process_gets_a_worker_of_its_own():
    sandbox.ask("\\sqrt{7}", "7^{0.5}", seconds=0.6)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        same = sandbox.ask("\\sqrt{11}", "11^{0.5}", seconds=5.0)
        os.write(write, b"same" if same else b"different")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"same"
    assert sandbox.ask("\\sqrt{13}", "13^{0.5}", seconds=0.6)  # the parent's still answers


def test_a_worker_and_lanes_that_were_killed_are_started_again():
    pool = Pool()
    assert pool.ask(Question("2", "\\sqrt{4}", 1.0))["result"] == "same"
    assert pool._worker is not None
    for p in (*psutil.Process(pool._worker.pid).children(recursive=True), pool._worker):
        p.kill()
    assert pool.ask(Question("3", "\\sqrt{9}", 1.0))["result"] == "same"
    pool.close()


def test_a_slow_question_holds_no_other_row():
    """F19: rows come in order; a bomb is alone on its lane, and the rows behind it are graded in the meantime."""
    bomb, rows = "(10^7)!", [("3", "3"), *((f"\\sqrt{{{n}}}", f"{n}^{{1/2}}") for n in range(23, 33))]
    graded: list[str] = []

    class Watched(MathGrader):
        def grade(self, problem: Problem, output: str, *, finished: bool = True) -> Outcome:
            outcome = super().grade(problem, output, finished=finished)
            graded.append(problem.answer)
            return outcome

    told = [(Problem(id="x", question="", answer=g), f"\\boxed{{{s}}}", True) for g, s in [("5", bomb), *rows]]
    found = [o.verdict for o in Watched(seconds=0.4, workers=2).grade_all(told)]
    assert found == ["unreadable", *["right"] * 11]
    assert graded[-1] == "5"


def test_nothing_is_left_of_a_process_that_was_killed(tmp_path):
    """F19: the worker, its lanes, and a child in the middle of a bomb."""
    code = (
        "import os, sys\nfrom sei.grading.sandbox import POOL\nfrom sei.grading.pool import Question\n"
        "POOL.ask(Question('2', '3', 60.0))\nPOOL.take().send(Question('3', '(10^9)!', 60.0))\n"
        "print('sent', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as asker:
        assert asker.stdout is not None
        assert asker.stdout.readline() == b"sent\n"
        machine = psutil.Process(asker.pid).children(recursive=True)
        assert len(machine) == 3  # the worker, a lane, the lane's child
        asker.kill()
    assert psutil.wait_procs(machine, timeout=5)[1] == []


def test_an_abandoned_question_disturbs_no_later_one():
    pool = Pool()
    lane = pool.take()
    lane.send(Question("\\sqrt{2}", "\\sqrt{3}", 1.0))
    pool.give(lane)
    assert pool.ask(Question("2", "\\sqrt{4}", 1.0))["result"] == "same"
    assert pool.take() is lane
    pool.close()


def test_whose_fault_a_limit_is():
    with pytest.raises(UnreadableError):
        sandbox.ask("3", "(10^7)!", seconds=0.3)
    with pytest.raises(LimitError):
        sandbox.ask("(10^7)!", "3", seconds=0.3)


def test_a_grader_with_little_processor_time_is_patient(monkeypatch):
    """A grader with little processor time waits, and one without any does not."""
    told = iter([0.0, 0.1, 0.2, 0.3])  # a starved child: a tenth of a second of processor time per second
    monkeypatch.setattr(worker, "_cpu_seconds", lambda pid: next(told))
    monkeypatch.setattr(worker, "PATIENCE", 5.0)
    child = worker._Child()
    child.back, writer = os.pipe()
    end = child._limits(0.3)
    threading.Timer(0.4, lambda: os.write(writer, b"g")).start()
    assert child._ready(0.3, end)
    os.read(child.back, 1)
    monkeypatch.setattr(worker, "_cpu_seconds", lambda pid: 0.0)
    start = time.monotonic()
    assert not child._ready(0.1, child._limits(0.1))
    assert 0.4 < time.monotonic() - start < 2
    os.close(writer)
    os.close(child.back)
