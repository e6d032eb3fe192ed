"""Problems of a reply in several lists or objects: none vanishes, a later one replaces that with the same question."""

from __future__ import annotations

import json
import time

import pytest

from sei.exchange import SynthesisRequest
from sei.instructors.remote.reading import read_problems
from tests.instructors.remote.calls import instructor
from tests.instructors.remote.fault_server import FaultServer

P = {"question": "What is 2 + 3?", "solution": "2 + 3 = 5", "answer": "5"}
Q = {"question": "What is 2 + 4?", "solution": "2 + 4 = 6", "answer": "6"}
R = {"question": "What is 2 + 5?", "solution": "2 + 5 = 7", "answer": "7"}
WRONG = {**Q, "solution": "2 + 4 = 7", "answer": "7"}
FORM = {"question": "...", "solution": "...", "answer": "..."}
p, q, r, wrong, form = (json.dumps(x) for x in (P, Q, R, WRONG, FORM))


def listed(*problems) -> str:
    return json.dumps({"problems": list(problems)})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\n".join(map(listed, (P, Q, R))), [P, Q, R]),
        (f"[{p}]\nand\n[{q}]", [P, Q]),
        (f"{listed(P, WRONG)}\nWait, better:\n{listed(P, Q)}", [P, Q]),
        (f"{wrong}\nWait, that is wrong:\n{q}", [Q]),
        (f"{listed(P, WRONG)}\nThe second corrected: {q}", [P, Q]),
        (f"{listed(P)}\nA bonus: {q}", [P, Q]),
        (f"{listed(P, Q)}\nFormat: {listed(FORM)}", [P, Q]),
        (f"{listed(P, Q)}\nFormat: {form}", [P, Q]),
        (f"Format: {listed(FORM)}\n{listed(P, Q)}", [P, Q]),
        (f"{listed(P, Q)}\n{listed()}", [P, Q]),
        (f"{listed()}\n{listed(P, Q)}", [P, Q]),
        (json.dumps({"easy": [P], "hard": [Q]}), [P, Q]),
        (json.dumps({"easy": {"problems": [P]}, "hard": {"problems": [Q]}}), [P, Q]),
        (listed(P, P), [P, P]),
        (listed(P, "no problem"), [P, "no problem"]),
        (listed(P, FORM), [P, FORM]),
        (listed(FORM), [FORM]),
        (listed({**P, "parts": [Q]}), [{**P, "parts": [Q]}]),
    ],
)
def test_no_problem_of_a_reply_vanishes(text, found):
    assert read_problems(text).value == found


@pytest.mark.parametrize("text", ['{"problems": []}', '{"problems": []} {"problems": []}', '{"x": 1}', "no"])
def test_a_reply_without_a_problem_is_refused(text):
    with pytest.raises(ValueError, match=r"problems: |no complete JSON"):
        read_problems(text)


CUT = '{"question": "What is 2 + 6'
QUOTE = '{"question": "He says "go" twice. How often?", "solution": "2", "answer": "2"}'


@pytest.mark.parametrize(
    ("text", "drafts", "lost"),
    [
        (f'{{"problems": [{p}, {q}, {CUT}', 2, 1),
        (f"[{p}, {CUT}", 1, 1),
        (f'{{"problems": [{p}, {QUOTE}, {r}]}}', 2, 1),
        (f"{p}\n{QUOTE}\n{QUOTE}", 1, 2),
        (f'{{"problems": [{p}, {q}]', 2, 0),
        (f'{{"problems": [{p}, {q}, ', 2, 0),
        (f'The form is {{"question": ..., "solution": ...}}. {listed(P)}', 1, 0),
        (f'The form is {{"question": "...", "solution": ...}}. {listed(P)}', 1, 0),
        (f"<think>So {CUT}</think>{listed(P)}", 1, 0),
    ],
)
def test_a_problem_that_does_not_end_is_counted(tmp_path, text, drafts, lost):
    server = FaultServer(lambda _: text)
    request = SynthesisRequest(error_type="t", exemplars=(), n=3, index=1, seed=0)
    (reply,) = instructor(server, tmp_path).write([request])
    server.close()
    assert (len(reply.drafts), [x.reason for x in reply.rejections]) == (drafts, ["off_contract"] * lost)
    assert all("begins, but it is cut or no JSON" in x.detail for x in reply.rejections)


@pytest.mark.long
def test_thousands_of_problems_are_read_in_time():
    start = time.perf_counter()
    assert len(read_problems("".join(json.dumps({**P, "question": f"q{i}"}) for i in range(5_000))).value) == 5_000
    assert len(read_problems(json.dumps({"problems": [P] * 2_000}) * 2).value) == 2_000
    assert time.perf_counter() - start < 12
