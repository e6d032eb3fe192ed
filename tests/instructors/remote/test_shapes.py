"""Bodies and errors of real servers: used, counted in the server's words, or reported as the reason for a stop."""

from __future__ import annotations

import json

import pytest

from sei.instructors.remote import dialect
from sei.instructors.remote.message import tokens_in
from sei.instructors.remote.replied import of_text
from sei.instructors.remote.terms import StoppedError
from sei.instructors.remote.verdict import Drop, Ok, Reask, Refused, Retry, Stop, error_of, of_error, of_status
from tests.instructors.remote.calls import PHRASE, client, echo, four, instructor, refuse, requests, values
from tests.instructors.remote.fault_server import FaultServer, answer, html, send

pytestmark = [
    pytest.mark.usefixtures("quick"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(dialect, "_KNOWN", {})
    made = FaultServer(reply=echo)
    yield made
    made.close()


def body(message, finish="stop", usage=None, **more):
    choice = {"index": 0, "finish_reason": finish, "message": message, **more}
    return json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage})


CALL = {"function": {"name": "reply", "arguments": PHRASE}}


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "tool_calls": [CALL]},
        {"content": "", "tool_calls": [{"function": {"name": "reply", "arguments": json.loads(PHRASE)}}]},
        {"content": None, "function_call": CALL["function"]},
        {"content": None, "tool_calls": [], "reasoning_content": PHRASE},
    ],
)
def test_arguments_of_a_call_stand_in_for_a_text(message):
    found = of_text(body(message, "tool_calls"))
    assert isinstance(found, Ok)
    assert json.loads(found.text) == json.loads(PHRASE)


CUTS = (
    "length max_tokens MAX_TOKENS model_length max_output_tokens model_context_window_exceeded max_new_tokens "
    "max-length token_limit incomplete too_many_tokens MAX_TOKENS_REACHED context_length"
).split()
FILTERS = ["content-filter", "contentfilter", "image_safety", "ERROR_TOXIC"]


@pytest.mark.parametrize("finish", CUTS)
def test_a_reply_that_is_cut_is_told_by_every_word_for_it(finish):
    found = of_text(body({"content": '{"keyphrase": "dro'}, finish))
    assert isinstance(found, Reask)
    assert found.reason == "length"
    assert finish in found.detail
    assert "dro" in found.detail
    plain = of_text(json.dumps({"choices": [{"text": "so 5", "finish_reason": finish}]}))
    assert isinstance(plain, Ok)
    assert plain.finish == "length"


@pytest.mark.parametrize(
    "finish", ["content_filter", "SAFETY", "content_filter: PROHIBITED_CONTENT", "RECITATION", *FILTERS]
)
@pytest.mark.parametrize("content", [None, "", "I cannot"])
def test_a_filtered_reply_is_counted_in_the_servers_words(finish, content):
    found = of_text(body({"content": content}, finish, {"prompt_tokens": 9, "completion_tokens": 0}))
    assert isinstance(found, Drop)
    assert (found.reason, finish in found.detail, found.input_tokens) == ("content_filter", True, 9)


@pytest.mark.parametrize("finish", ["abort", "error", "insufficient_system_resource"])
def test_a_reply_that_broke_off_is_none(finish):
    assert isinstance(of_text(body({"content": "so"}, finish)), Retry)
    assert isinstance(of_text(json.dumps({"choices": [{"text": "so", "finish_reason": finish}]})), Retry)


def test_refusals_are_found_in_parts_and_what_is_empty_says_so():
    found = of_text(body({"content": [{"type": "refusal", "refusal": "I will not."}]}))
    assert isinstance(found, Drop)
    assert (found.reason, found.detail) == ("refusal", "I will not.")
    empty = of_text(body({"content": None, "role": "assistant"}, None))
    assert isinstance(empty, Reask)
    assert (empty.reason, "finish_reason: None" in empty.detail, "assistant" in empty.detail) == ("empty", True, True)
    assert isinstance(of_text(body(None)), Reask)


def test_a_paid_reply_without_a_choice_is_asked_once_more(server, tmp_path):
    """A blocked prompt always comes back like this, so further attempts would only cost."""
    paid = {"choices": [], "usage": {"prompt_tokens": 50}, "prompt_feedback": {"block_reason": "SAFETY"}}
    server.faults.append(lambda h, n: server.log[n].body["messages"][0]["content"].endswith(" 3") and send(
        h, 200, json.dumps(paid).encode()))  # fmt: skip
    found = client(server, tmp_path, timeout=20.0)
    answers = list(found.run(requests(6)))
    assert [a.reason for a in answers] == ["", "", "", "empty", "", ""]
    assert "SAFETY" in answers[3].detail
    assert answers[3].input_tokens == 100
    assert len(server.log) == 7


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}, (100, 10)),
        ({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 610}, (100, 510)),
        ({"prompt_tokens": "100", "completion_tokens": 10.0}, (100, 10)),
        ({"input_tokens": 7, "output_tokens": 3}, (7, 3)),
        ({"prompt_tokens": None, "completion_tokens": -1, "total_tokens": 5}, (0, 0)),
        ({"prompt_tokens": True, "completion_tokens": float("inf")}, (0, 0)),
        ("100", (0, 0)),
        ([], (0, 0)),
    ],
)
def test_tokens_are_read_in_every_form_and_thoughts_are_paid(usage, counts):
    assert tokens_in(usage) == counts


MODERATED = {"code": 403, "message": "Your chosen model requires moderation and your input was flagged for x."}


@pytest.mark.parametrize(
    ("status", "sent", "kind", "words"),
    [
        (400, {"error": {"message": "Provider returned error", "metadata": {"raw": "bad n"}}}, Refused, "error: bad n"),
        (400, {"object": "error", "message": {"detail": [{"msg": "Extra x"}]}, "code": 3}, Refused, "Extra x"),
        (422, {"detail": "no such field"}, Refused, "no such field"),
        (400, {"error": {"message": "Content Exists Risk", "code": "invalid_request_error"}}, Drop, "Exists Risk"),
        (403, {"error": MODERATED}, Drop, "requires moderation"),
        (403, {"error": {"message": "Country not supported"}}, Stop, "Country not supported"),
        (403, {"error": {"message": "Insufficient account balance"}}, Stop, "quota is used up (HTTP 403: Insuff"),
        (403, {"error": {"message": "This requires more credits, or fewer max_tokens"}}, Stop, "quota is used up"),
        (400, {"error": {"message": "no", "code": "model_not_found"}}, Stop, "no such model or address (HTTP 400: no)"),
        (400, {"error": {"message": "Invalid model name passed in model=m."}}, Stop, "no such model"),
        (400, {"error": {"message": "No models loaded. Please load a model."}}, Stop, "no such model"),
        (400, {"error": {"message": "The model `m` does not exist"}}, Stop, "no such model"),
        (400, {"error": {"message": "this model does not support x"}}, Refused, "not support x"),
        (400, {"error": {"message": "engine busy"}}, Retry, "engine busy"),
        (405, {"detail": "Method Not Allowed"}, Stop, "Method Not Allowed"),
        (410, {"error": "this model has retired"}, Stop, "has retired"),
        (404, {"error": "model 'x' not found"}, Stop, "model 'x' not found"),
        (500, {"error": "the runner has stopped"}, Retry, "the runner has stopped"),
        (429, {"error": {"message": "Request too large for m on tokens per min (TPM): Limit 3"}}, Drop, "Limit 3"),
        (429, [{"error": {"code": 429, "message": "quota per day"}}], Retry, "quota per day"),
    ],
)
def test_errors_keep_the_servers_words(status, sent, kind, words):
    found = of_status(status, {}, error_of(sent))
    assert isinstance(found, kind)
    assert words in (found.detail if isinstance(found, (Refused, Drop)) else found.reason)
    if isinstance(found, Drop):
        assert found.reason == ("too_long" if status == 429 else "content_filter")


def test_an_error_object_alone_inside_a_200_is_one():
    found = of_text(json.dumps({"object": "error", "message": "out of memory", "code": 500}))
    assert isinstance(found, Stop)
    assert "out of memory" in found.reason
    assert isinstance(of_error({"message": "Rate limit reached"}), Retry)


def test_a_page_instead_of_json_is_told_in_its_words(server, tmp_path):
    server.faults.append(lambda h, n: html(413)(h))
    (lost,) = client(server, tmp_path).run(requests(1))
    assert (lost.reason, lost.detail) == ("too_long", "Bad gateway")


def test_a_key_that_a_server_repeats_reaches_nothing(server, tmp_path, monkeypatch, caplog):
    key = "secret-of-nobody-123"
    monkeypatch.setenv("MY_KEY", key)
    said = json.dumps({"error": {"message": f"Incorrect key {key} for this place"}}).encode()
    server.faults.append(lambda h, n: send(h, 401, said))
    with pytest.raises(StoppedError, match=r"HTTP 401: Incorrect key \*\*\* for") as stopped:
        list(instructor(server, tmp_path, api_key_env="MY_KEY").diagnose([four()]))
    assert stopped.value.exit_code == 2
    server.faults[:] = [lambda h, n: answer(h, f"Your key is {key}.")]
    (lost,) = instructor(server, tmp_path, api_key_env="MY_KEY").diagnose([four()])
    assert key not in caplog.text + lost.rejection.detail


@pytest.mark.parametrize(
    "words",
    [
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "Only user and assistant roles are supported!",
        "System role not supported",
        "Developer instruction is not enabled for models/small",
        "This model does not support system messages.",
    ],
)
def test_without_a_system_role_its_text_comes_before_the_users(server, tmp_path, words):
    server.reply = lambda _: PHRASE
    refuse(server, "system", words)
    (found,) = instructor(server, tmp_path, system_prompt="Be brief.").diagnose([four()])
    assert found.keyphrase is not None
    assert [m["role"] for m in server.log[-1].body["messages"]] == ["user"]


def test_a_temperature_that_has_one_value_alone_is_told_of(server, tmp_path):
    refuse(server, "temperature", "invalid temperature: only 1 is allowed for this model")
    found = client(server, tmp_path)
    assert values(found.run(requests(3))) == [0, 1, 2]
    assert "only 1 is allowed" in found.ledger.changed["temperature"]


@pytest.mark.parametrize(
    ("held", "code"),
    [({"code": 401, "message": "Invalid"}, 2), ({"code": "404", "message": "model not found"}, 2), ({"code": 402}, 75),
     ({"message": "Incorrect API key provided"}, 2), ({"code": "model_not_found"}, 2), ({"code": 500}, 75)],
)  # fmt: skip
def test_an_error_inside_a_200_ends_the_run_as_its_status(held, code):
    found = of_text(json.dumps({"error": held}))
    assert isinstance(found, Stop)
    assert found.exit_code == code


@pytest.mark.parametrize("words", ["Bad gateway upstream hiccup", "The prompt outlines a plan"])
def test_words_that_pass_leave_the_response_format(server, tmp_path, words):
    said = json.dumps({"error": {"message": words}}).encode()
    server.faults.append(lambda h, n: n == 0 and send(h, 400, said))
    found = client(server, tmp_path)
    assert values(found.run(requests(8))) == list(range(8))
    assert found.structured
    assert all("response_format" in s.body for s in server.log)
    assert len(server.log) == 9


def test_json_that_a_server_cannot_make_is_asked_for_plainly(server, tmp_path):
    error = {"message": "Failed to generate JSON.", "code": "json_validate_failed", "failed_generation": "so: {"}
    said = json.dumps({"error": error}).encode()
    server.faults.append(lambda h, n: "response_format" in server.log[n].body and send(h, 400, said))
    found = client(server, tmp_path)
    assert values(found.run(requests(4))) == [0, 1, 2, 3]
    assert not found.structured
