"""Which value of a reply is read: the last complete one that fits, anywhere in the reply."""

from __future__ import annotations

import json
import time

import pytest

from sei.clusterers.llm import group_request
from sei.exchange import SynthesisRequest
from sei.instructors.remote.instructor import OpenAICompatible
from sei.instructors.remote.latex import UndecidedError
from sei.instructors.remote.message import text_of
from sei.instructors.remote.reading import parsed
from sei.instructors.remote.replied import of_text
from sei.instructors.remote.replies import keyphrase_request, problems_request, solve_request
from sei.instructors.remote.thinking import is_all_thinking, without_thinking
from sei.instructors.remote.verdict import Ok, Reask

TWO = SynthesisRequest(error_type="t", exemplars=(), n=2, index=1, seed=0)
PHRASE = {"first_wrong_step": "the second", "keyphrase": "adds instead of multiplying"}
GOOD = json.dumps(PHRASE)
P = {"question": "What is 2 + 3?", "solution": "2 + 3 = 5", "answer": "5"}
Q = {"question": "What is 2 + 4?", "solution": "2 + 4 = 6", "answer": "6"}
THOUGHT = r'Is it \frac{1}{2} or {1, 2}? The form is {"keyphrase": ...}, so {x : x > 3} or {"keyphrase": "draft phrase"'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"<think>{THOUGHT}</think>\n{GOOD}",
        f"<think>{THOUGHT}}}</think>\n{GOOD}",
        f"{THOUGHT}</think>\n{GOOD}",
        f"<thinking>\n{THOUGHT}\n</thinking>{GOOD}",
        f"[THINK]{THOUGHT}[/THINK]{GOOD}",
        f"<seed:think>{THOUGHT}</seed:think>{GOOD}",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{GOOD}",
        f"◁think▷{THOUGHT}◁/think▷{GOOD}",
        f"<think>Well. {GOOD}",
        f"<think>{GOOD}</think>",
        f"Sure {{x}}:\n```json\n{json.dumps(PHRASE, indent=2)}\n```\nWith {{1, 2}} in mind.",
        f'Draft: {{"first_wrong_step": "", "keyphrase": "a first draft"}}. Final: {GOOD}',
        f'{GOOD}\nThe form was {{"first_wrong_step": "what goes wrong, in one sentence", "keyphrase": "the phrase"}}',
        json.dumps(GOOD),
        json.dumps([PHRASE]),
        json.dumps({"response": PHRASE}),
        json.dumps({"response": GOOD}),
        GOOD[:-1] + ", }",
        f'{{"first_wrong_step": null, "keyphrase": "{PHRASE["keyphrase"]}"}}',
        GOOD.replace(", ", ",\n\t"),
        repr(PHRASE),
        f"{{'first_wrong_step': None, 'keyphrase': '{PHRASE['keyphrase']}'}}",
        f'{{"first_wrong_step": "x", // a comment\n# another\n/* {{}} */ "keyphrase": "{PHRASE["keyphrase"]}"}}',
        GOOD.replace("first_wrong_step", "First Wrong Step").replace("keyphrase", "keyPhrase"),
    ],
)
def test_the_last_complete_value_that_fits_is_read(text):
    request = keyphrase_request("q", "s", "a", temperature=None)
    assert request.check(text).value.keyphrase == PHRASE["keyphrase"]


@pytest.mark.parametrize(
    ("text", "n"),
    [
        (json.dumps({"problems": [P, Q]}), 2),
        (json.dumps([P, Q]), 2),
        (json.dumps({"items": [P, Q]}), 2),
        (json.dumps(P), 1),
        (f"{json.dumps(P)}\n{json.dumps(Q)}", 2),
        (json.dumps({"first": P, "second": Q}), 2),
        (json.dumps({"problems": json.dumps([P, Q])}), 2),
        (f"Draft {json.dumps({'problems': [P]})} and final {json.dumps({'problems': [P, Q]})}", 2),
    ],
)
def test_problems_are_found_in_every_shape(text, n):
    request = problems_request(TWO, "synthesize.v1", temperature=None)
    assert request.check(text).value == [P, Q][:n]


@pytest.mark.parametrize("text", ["no", "{", '{"problems": []}', '{"problems": [{"question": "q"', "[1, 2]", '"x"'])
def test_what_holds_no_problem_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        problems_request(TWO, "synthesize.v1", temperature=None).check(text)


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ("12", "12"),
        ("12.5", "12.5"),
        ("0.1", "0.1"),
        ("1234567890123456789", "1234567890123456789"),
        ("1e3", "1000"),
        ("-7", "-7"),
        (r'"$\\boxed{366}$"', "366"),
        (r'"$\boxed{366}$"', "366"),
        (r'"\\(\\boxed{\\frac{1}{2}}\\)"', r"\frac{1}{2}"),
        ('"#### 12"', "12"),
        ('"**12**"', "12"),
        ('"$12"', "$12"),
        ('"$5$ and $6$"', "$5$ and $6$"),
        (r'"\\boxed{1} or \\boxed{2}"', r"\boxed{1} or \boxed{2}"),
    ],
)
def test_answers_are_read_as_they_are_meant(answer, read):
    request = solve_request("q", temperature=None)
    assert request.check(f'{{"solution": "s", "answer": {answer}}}').value.answer == read


@pytest.mark.parametrize("answer", ["null", "true", '["1"]', "{}", '"..."', '""'])
def test_what_is_no_answer_is_refused(answer):
    with pytest.raises(ValueError, match="answer"):
        solve_request("q", temperature=None).check(f'{{"solution": "s", "answer": {answer}}}')


def test_a_solution_may_come_as_its_steps():
    found = solve_request("q", temperature=None).check('{"solution": ["1 + 1 = 2", "so 2"], "answer": 2}')
    assert found.value.solution == "1 + 1 = 2\nso 2"


def test_names_of_error_types_are_restored_or_refused():
    teacher = OpenAICompatible(model="m", base_url="http://127.0.0.1:1/v1", cache="a.sqlite", api_key_env="")
    request = group_request(["a b", "c d"], (), 0.2, teacher)
    listed = '[{"name": "takes \\frac{1}{2}", "ids": [1, "2"]}]'
    assert request.check(listed).value == [(r"takes \frac{1}{2}", [0, 1])]
    with pytest.raises(UndecidedError):
        request.check('{"error_types": [{"name": "takes\\nu for it", "ids": [1, 2]}]}')


@pytest.mark.parametrize("answer", ["1/2", "7 // 2", "1,234", "+5", "\u22125", "NaN", "50%", "'it's 5'"])
def test_a_bare_answer_that_is_no_json_is_never_read_in_part(answer):
    with pytest.raises(ValueError, match="no complete JSON"):
        solve_request("q", temperature=None).check(f'{{"solution": "s", "answer": {answer}\n}}')


@pytest.mark.parametrize("text", ["use <think>a</think> tags", "use </think> here", 'it\'s "so"', "x <think> y"])
def test_what_looks_like_thinking_inside_a_text_is_text(text):
    for written in (json.dumps({"solution": text, "answer": "7"}), repr({"solution": text, "answer": "7"})):
        for around in ("", f"<think>{THOUGHT}</think>"):
            assert solve_request("q", temperature=None).check(around + written).value.solution == text


def test_thinking_is_told_from_a_reply():
    assert without_thinking("a <think>b</think> c") == "a  c"
    assert without_thinking("a</think> c") == " c"
    assert is_all_thinking("<think>cut in the mid")
    assert not is_all_thinking("x < think")


@pytest.mark.parametrize(
    "text",
    [
        "{/*" * 130_000,
        "{//" * 130_000,
        "{'a': '" * 50_000,
        '{"a":' * 5_000 + "1",
        '{"a": "' * 50_000,
        "[{" * 90_000,
        '"' + "{" * 300_000,
    ],
)
@pytest.mark.long
def test_values_that_never_end_are_given_up_in_time(text):
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"."):
        parsed(text)
    assert time.perf_counter() - start < 2


@pytest.mark.long
def test_many_tags_inside_texts_are_read_in_time():
    start = time.perf_counter()
    assert parsed('{"a": "<think>"}' * 24_000) == {"a": "<think>"}
    assert time.perf_counter() - start < 4


def body(content, finish="stop", **message):
    choice = {"finish_reason": finish, "message": {"content": content, **message}}
    return json.dumps({"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "b"}], "b"),
        ({"type": "text", "text": "a"}, "a"),
        ({"keyphrase": "x"}, '{"keyphrase": "x"}'),
        (["a", "b"], "ab"),
        ([{"type": "text", "text": {"value": "a", "annotations": []}}, {"type": "image_url", "image_url": {}}], "a"),
        ([{"type": "output_text", "text": "a"}, {"type": "reasoning", "text": "hm"}, None, 5], "a"),
        (None, ""),
    ],
)
def test_content_comes_in_several_forms(content, text):
    assert text_of(content) == text


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_thoughts_stand_in_for_content_that_is_empty(name):
    found = of_text(body("", **{name: GOOD}))
    assert isinstance(found, Ok)
    assert (found.text, found.thought) == (GOOD, True)
    kept = of_text(body(GOOD, **{name: "{}"}))
    assert isinstance(kept, Ok)
    assert (kept.text, kept.thought) == (GOOD, False)
    cut = of_text(body(None, "length", **{name: "hm"}))
    assert isinstance(cut, Reask)
    assert (cut.reason, cut.thought) == ("length", True)
