"""Current servers and models: their words for refused settings, thoughts, money, limits, and kept answers."""

from __future__ import annotations

import json
import sqlite3
import time

import pytest

from sei.errors import ConfigError
from sei.exchange import SynthesisRequest
from sei.instructors.remote import dialect, pace
from sei.instructors.remote.answers import Answers
from sei.instructors.remote.client import Client
from sei.instructors.remote.instructor import OpenAICompatible
from sei.instructors.remote.pace import Pace
from sei.instructors.remote.terms import Limits, StoppedError
from sei.instructors.remote.tokens import tokens_of
from sei.instructors.remote.verdict import Drop, Refused, Retry, Stop, error_of, of_error, of_status
from sei.instructors.remote.wire import answer_key
from sei.stages.diagnose import Diagnose
from sei.store import Store, digest
from tests.builders import TINY
from tests.compose import built
from tests.instructors.remote.calls import PHRASE, client, echo, four, instructor, refuse, requests, values
from tests.instructors.remote.fault_server import FaultServer, answer, error, raw, send

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


FORMATS = [
    "deepseek-x does not support Json Output.",
    "This response_format type is unavailable now",
    [{"error": {"code": 400, "message": "Unknown name \"x\" at 'generation_config.response_schema': no field."}}],
    "xgrammar: unsupported feature in the schema",
    {"detail": [{"loc": ["body", "response_format"], "msg": "Extra inputs are not permitted"}]},
    {"object": "error", "message": "Guided decoding is not enabled on this server", "code": 400},
    "this server cannot do that",
]


@pytest.mark.parametrize("message", FORMATS)
def test_a_refused_response_format_falls_back_to_plain_json(server, tmp_path, message, caplog):
    refuse(server, "response_format", message)
    found = client(server, tmp_path)
    assert values(found.run(requests(12))) == list(range(12))
    assert "takes no response format" in caplog.text
    assert found.ledger.rejected == {}
    refused = len(server.log) - 12
    assert 0 < refused <= (16 if message == FORMATS[-1] else 8)  # words that are not understood are tried twice
    again = client(server, tmp_path / "other")
    assert values(again.run(requests(12))) == list(range(12))
    assert len(server.log) == 24 + refused  # remembered for the process


def test_the_token_limit_has_the_name_that_the_server_wants(server, tmp_path):
    words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    refuse(server, "max_tokens", words, code="unsupported_parameter", param="max_tokens")
    assert values(client(server, tmp_path).run(requests(12))) == list(range(12))
    refused = sum("max_tokens" in s.body for s in server.log)
    assert 0 < refused <= 8
    assert {s.body.get("max_completion_tokens") for s in server.log if "max_tokens" not in s.body} == {20}
    assert values(client(server, tmp_path / "other").run(requests(12))) == list(range(12))
    assert sum("max_tokens" in s.body for s in server.log) == refused
    server.faults.clear()
    before = len(server.log)
    dialect._KNOWN.clear()
    assert values(client(server, tmp_path).run(requests(12))) == list(range(12))
    assert len(server.log) == before  # the key is that of the request as configured


def test_a_limit_that_is_too_large_is_no_other_name(server, tmp_path):
    refuse(server, "max_tokens", "max_tokens is too large: 20. This model supports at most 4 completion tokens.")
    found = client(server, tmp_path)
    assert [a.reason for a in found.run(requests(2))] == ["bad_request"] * 2
    assert not found.dialect.completion_tokens


def test_a_temperature_that_is_refused_is_told_of(server, tmp_path, caplog):
    refuse(
        server,
        "temperature",
        "Unsupported value: 'temperature' does not support 0 with this model.",
        param="temperature",
    )
    found = client(server, tmp_path)
    assert values(found.run(requests(6))) == list(range(6))
    assert "takes no temperature" in caplog.text
    assert found.ledger.changed["temperature"].startswith("0.0 is not sent: Unsupported value")


@pytest.mark.parametrize(
    ("settings", "setting", "message"),
    [
        ({"reasoning_effort": "low"}, "reasoning_effort", "Unrecognized request argument supplied: reasoning_effort"),
        ({"extra_body": {"top_k": 5}}, "top_k", "Unknown parameter: 'top_k'"),
    ],
)
def test_a_setting_of_the_user_that_is_refused_ends_the_run(server, tmp_path, settings, setting, message):
    refuse(server, setting, message)
    with pytest.raises(StoppedError, match=rf"refuses instructor\..*{setting}.*Remedy: another value") as stopped:
        list(instructor(server, tmp_path, **settings).diagnose([four()]))
    assert stopped.value.exit_code == 2


def test_without_a_system_role_its_text_goes_before_the_users(server, tmp_path):
    server.reply = lambda _: PHRASE
    refuse(server, "system", "Unsupported value: 'messages[0].role' does not support 'system' with this model.")
    (found,) = instructor(server, tmp_path, system_prompt="Be brief.").diagnose([four()])
    assert found.keyphrase is not None
    assert [m["role"] for m in server.log[-1].body["messages"]] == ["user"]
    assert server.log[-1].body["messages"][0]["content"].startswith("Be brief.\n\n")


def test_settings_go_into_the_body_and_both_keys(server, tmp_path):
    server.reply = lambda _: PHRASE
    more = {
        "reasoning_effort": "high",
        "extra_body": {"top_k": 5},
        "system_prompt": "S",
        "max_tokens": {"keyphrase": 77},
    }
    for settings in ({}, *({k: v} for k, v in more.items())):
        (found,) = instructor(server, tmp_path, **settings).diagnose([four()])
        assert found.keyphrase is not None
    bodies = [s.body for s in server.log]
    assert len(bodies) == 5
    assert (bodies[1]["reasoning_effort"], bodies[2]["top_k"], bodies[4]["max_tokens"]) == ("high", 5, 77)
    assert bodies[3]["messages"][0] == {"role": "system", "content": "S"}
    assert len({digest(instructor(server, tmp_path, **s)) for s in ({}, *({k: v} for k, v in more.items()))}) == 5
    pace = {"requests_per_minute": 5, "tokens_per_minute": 9, "usd_in": None}
    assert digest(instructor(server, tmp_path, **pace)) == digest(instructor(server, tmp_path))


def test_room_that_thoughts_used_up_is_raised_and_remembered(server, tmp_path):
    def fault(h, n):
        body = server.log[n].body
        return body["max_tokens"] < 1_000 and answer(h, None, finish="length", reasoning_content="hm " * 50)

    server.faults.append(fault)
    found = client(server, tmp_path, concurrency=1)
    assert values(found.run(requests(5))) == list(range(5))
    assert [s.body["max_tokens"] for s in server.log] == [20, *[4_116] * 5]
    server.faults[0] = lambda h, n: answer(h, "<think>on and on", finish="length")
    dialect._KNOWN.clear()
    (lost,) = client(server, tmp_path / "other", concurrency=1).run(requests(1))
    assert lost.reason == "length"
    assert "the reasoning used up the 4116 tokens of the reply. Remedy: instructor.max_tokens={other:" in lost.detail


def test_a_reply_that_is_all_thoughts_names_the_parser(server, tmp_path):
    server.faults.append(lambda h, n: answer(h, None, reasoning_content="I think that it is seven."))
    (lost,) = client(server, tmp_path).run(requests(1))
    assert lost.reason == "empty"
    assert "--reasoning-parser" in lost.detail
    assert "I think that it is seven." in lost.detail


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (error(402, message="Please pay first"), "HTTP 402: Please pay first"),
        (error(400, message="Your credit balance is too low to access the API."), "credit balance is too low"),
        (raw(b'{"error": {"message": "Provider returned error", "code": 502}}'), "502: Provider returned error"),
        (raw(b'{"error": "model is loading"}'), "model is loading"),
        (raw(b'[{"error": {"message": "internal", "code": 500}}]'), "500: internal"),
        (raw(b'{"choices": [{"error": {"message": "upstream", "code": 502}}]}'), "502: upstream"),
    ],
)
def test_money_and_errors_inside_a_200_stop_resumably(server, tmp_path, fault, words):
    server.faults.append(lambda h, n: n >= 5 and fault(h))
    with pytest.raises(StoppedError, match=words) as stopped:
        list(client(server, tmp_path, concurrency=2).run(requests(20)))
    assert stopped.value.exit_code == 75
    assert len(server.log) <= 7
    server.faults.clear()
    assert values(client(server, tmp_path).run(requests(20))) == list(range(20))
    assert len(server.log) <= 22


@pytest.mark.parametrize("said", [None, 5, ["a", {"b": 1}], {"x": "y"}, "odd_model", ""])
def test_a_message_of_any_type_is_a_refusal_in_words(said):
    found = of_status(400, {}, {"message": said, "code": None})
    assert isinstance(found, Refused)
    assert isinstance(found.detail, str)


def test_errors_are_found_in_every_form():
    assert error_of([{"error": {"message": "m"}}]) == {"message": "m"}
    assert error_of({"error": "m"}) == {"message": "m"}
    assert error_of("m") == {"message": "m"}
    assert isinstance(of_error({"code": "rate_limit_exceeded"}), Retry)
    assert isinstance(of_error({"code": "content_filter", "message": "no"}), Drop)
    assert isinstance(of_status(400, {}, {"message": "API key not valid. Please pass a valid API key."}), Stop)


def test_what_follows_the_address_goes_with_every_request(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "k-1")
    seen = []
    server.faults.append(lambda h, n: bool(seen.append((h.path, h.headers.get("api-key")))))
    server.reply = lambda _: PHRASE
    url = f"{server.url.removesuffix('/v1')}/openai/deployments/d?api-version=2024-10-21"
    (found,) = instructor(server, tmp_path, base_url=url, api_key_env="MY_KEY").diagnose([four()])
    assert found.keyphrase is not None
    assert seen == [("/openai/deployments/d/chat/completions?api-version=2024-10-21", "k-1")]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"base_url": "https://h/v1/chat/completions"}, r"ends in /chat/completions.*Remedy.*base_url=https://h/v1"),
        ({"base_url": "https://h/v1/chat/completions/?api-version=1"}, r"Remedy.*=https://h/v1\?api-version=1"),
        ({"base_url": "https://h/v1?key=abc-1"}, "looks like a secret"),
        ({"max_usd": 5.0, "usd_in": None}, r"max_usd=5.0 cannot be kept.*usd_in=None"),
        ({"max_usd": 5.0}, r"max_usd=5.0 cannot be kept"),
        ({"extra_body": {"max_tokens": 4}}, r"extra_body.max_tokens.*Remedy: use instructor.max_tokens"),
        ({"extra_body": {"api_key": "k"}}, "looks like a secret"),
        ({"max_tokens": {"phrases": 4}}, r"no kind of request is called 'phrases'"),
        ({"max_tokens": 0}, "at least 1"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(tmp_path, settings, words):
    with pytest.raises(ConfigError, match=words) as e:
        OpenAICompatible(**{"model": "m", "base_url": "http://h/v1", "cache": str(tmp_path / "a"), **settings})
    assert "abc-1" not in str(e.value)


def uncounted(h, text, usage):
    choice = {"finish_reason": "stop", "message": {"content": text}}
    return send(h, 200, json.dumps({"choices": [choice], **usage}).encode())


@pytest.mark.parametrize("usage", [{}, {"usage": None}, {"usage": {}}, {"usage": {"prompt_tokens": 0}}])
def test_a_budget_holds_where_the_server_does_not_count(server, tmp_path, usage, caplog):
    server.faults.append(lambda h, n: uncounted(h, echo(server.log[n].body), usage))
    price = {"usd_per_million": (10_000.0, 10_000.0)}
    with pytest.raises(StoppedError, match="max_usd"):
        list(client(server, tmp_path, concurrency=2, max_usd=0.5, **price).run(requests(40)))
    assert len(server.log) <= 10
    assert caplog.text.count("rest on an estimate") == 1
    found = client(server, tmp_path, max_usd=50.0, **price)
    list(found.run(requests(40)))
    assert found.ledger.estimated == 40
    assert any("estimate" in n for n in found.ledger.notes)
    again = client(server, tmp_path, **price)
    list(again.run(requests(40)))
    assert again.ledger.estimated == 40
    assert again.ledger.needed_usd == pytest.approx(found.ledger.needed_usd)


def test_tokens_are_counted_by_rule_or_by_a_local_tokenizer():
    assert tokens_of("abcdef") == 2
    assert tokens_of("你好") == 2
    assert tokens_of("How many pens ?", str(TINY.folder())) != tokens_of("How many pens ?", "no/such-model") == 5


def test_limits_per_minute_are_kept_by_concurrent_requests(server, tmp_path, monkeypatch):
    monkeypatch.setattr(pace, "_MINUTE", 0.6)
    start = time.monotonic()
    assert values(client(server, tmp_path, requests_per_minute=5).run(requests(12))) == list(range(12))
    assert time.monotonic() - start >= 1.2
    times = sorted(s.at for s in server.log)
    assert all(later - earlier > 0.5 for earlier, later in zip(times, times[5:], strict=False))


def test_token_limits_take_what_a_request_may_need(monkeypatch):
    monkeypatch.setattr(pace, "_MINUTE", 10.0)
    keeper = Pace(None, 100)
    first, wait = keeper.reserve(60)
    assert wait == 0
    _, wait = keeper.reserve(60)
    assert wait == pytest.approx(10, abs=0.1)
    keeper = Pace(None, 100)
    first, _ = keeper.reserve(60)
    first.tokens = 10
    assert keeper.reserve(90)[1] == 0
    assert keeper.reserve(10_000)[1] == pytest.approx(10, abs=0.1)


URL, MODEL = "http://127.0.0.1:9/v1", "teacher"
EARLIER = {  # keys that earlier versions gave to these requests
    "keyphrase": "6834da5e7654fb65043f3642767468dfd2e1bd0751a9c64384596a6dd2448d06",
    "correction": "6a70e380c38d7562777b7bcc462ec6a7107aeb00ea6013d387c9125169e80a51",
}


def teacher(tmp_path, **more):
    settings = {"model": MODEL, "base_url": URL, "cache": str(tmp_path / "a.sqlite"), "api_key_env": ""}
    return OpenAICompatible(**{**settings, "agreement": False, "give_up": 1.0, **more})


def test_answers_kept_under_keys_of_earlier_versions_are_found(tmp_path):
    made = teacher(tmp_path)
    asked = {"keyphrase": made.keyphrase_request(four()), "correction": made.correction_request(four())}
    assert {k: answer_key(URL, MODEL, r) for k, r in asked.items()} == EARLIER


@pytest.mark.parametrize("batch", [False, True], ids=["at once", "batch"])
def test_kept_answers_are_read_anew_and_never_asked_again(tmp_path, batch):
    """The server is down, so any request would end the run."""
    made = teacher(tmp_path, batch=batch)
    problems = (
        r'{"problems": [{"question": "What is \frac{1}{2} of 8?", "solution": "8 \times \frac12 = 4", "answer": "4"}'
        r', {"question": "We set it.\nu = 4 is it?", "solution": "1 + 3 = 4", "answer": "4"}]}'
    )
    request = SynthesisRequest(error_type="t", exemplars=(), n=2, index=1, seed=0)
    kept = {
        EARLIER["keyphrase"]: r'{"first_wrong_step": "", "keyphrase": "forgets \times and so on"}',
        EARLIER["correction"]: r'{"solution": "We set it.\nu = 4", "answer": "4"}',
        answer_key(URL, MODEL, made.synthesis_request(request)): problems,
    }
    cache = Answers(tmp_path / "a.sqlite")
    cache.put_all([(k, {"text": t, "in": 100, "out": 10, "model": MODEL}) for k, t in kept.items()])
    cache.close()
    for _ in range(2):
        made = teacher(tmp_path, batch=batch)
        (diagnosis,) = made.diagnose([four()])
        assert diagnosis.keyphrase.phrase == r"forgets \times and so on"
        (reply,) = made.write([request])
        assert [d.question for d in reply.drafts] == [r"What is \frac{1}{2} of 8?"]
        assert [r.reason for r in reply.rejections] == ["undecided_latex"]
        (corrected,) = made.correct([four()])
        assert [r.reason for r in corrected.rejections] == ["undecided_latex"]
        spent = made.spent()
        assert (spent["sent"], spent["cached"], spent["restored"]) == (0, 3, {"latex": 4})
        assert spent["rejected"] == {"undecided_latex": 1}
    held = sqlite3.connect(tmp_path / "a.sqlite").execute("select count(*) from answers").fetchone()[0]
    assert held == 3


def test_an_undecided_reply_is_asked_once_more_and_then_kept(server, tmp_path):
    server.reply = lambda _: r'{"first_wrong_step": "", "keyphrase": "takes it.\nu = 4"}'
    (lost,) = instructor(server, tmp_path).diagnose([four()])
    assert lost.rejection.reason == "undecided_latex"
    assert "a line break before 'u'" in lost.rejection.detail
    assert "Escape every backslash" in server.log[1].body["messages"][-1]["content"]
    again = instructor(server, tmp_path)
    assert next(iter(again.diagnose([four()]))).rejection.reason == "undecided_latex"
    assert len(server.log) == 2


def test_what_the_server_did_not_take_up_is_asked_again(server, tmp_path):
    """Nothing else is: a refusal by the model is an answer."""
    server.reply = lambda b: "no" if "Other?" in b["messages"][0]["content"] else PHRASE
    bad = error(400, message="no such template")
    server.faults.append(lambda h, n: "How many?" in server.log[n].body["messages"][0]["content"] and bad(h))
    stage, cases = Diagnose(instructor=instructor(server, tmp_path)), [four(), four("Other?")]
    store = Store(root=tmp_path / "store")
    first = store.each(stage, items=cases)
    assert [d.rejection.reason for d in first] == ["bad_request", "off_contract"]
    assert first[0].rejection.detail == "no such template"
    server.faults.clear()
    before = len(server.log)
    again = store.each(stage, items=cases)
    assert again[0].keyphrase is not None
    assert again[1] == first[1]
    assert len(server.log) == before + 1


def openai_shape(server):
    words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    refuse(server, "max_tokens", words, type="invalid_request_error", param="max_tokens", code="unsupported_parameter")
    return lambda h, b: answer(h, PHRASE, refusal=None, annotations=[])


def deepseek_shape(server):
    refuse(server, "response_format", "This response_format type is unavailable now", type="invalid_request_error")
    return lambda h, b: answer(h, PHRASE, reasoning_content="The student {drops} a step.")


def anthropic_shape(server):
    refuse(server, "response_format", "response_format: Extra inputs are not permitted", type="invalid_request_error")
    return lambda h, b: answer(h, f"Here it is:\n\n```json\n{PHRASE}\n```")


def gemini_shape(server):
    words = "Invalid JSON payload received. Unknown name \"strict\" at 'generation_config.response_schema': no field."
    refuse(server, "response_format", [{"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}}])
    return lambda h, b: answer(h, f"```json\n{PHRASE}\n```", extra_content={"google": {"thought_signature": "x"}})


@pytest.mark.parametrize(
    ("preset", "shape", "key", "price"),
    [
        ("openai_reasoning", openai_shape, "OPENAI_API_KEY", False),
        ("deepseek", deepseek_shape, "DEEPSEEK_API_KEY", True),
        ("anthropic", anthropic_shape, "ANTHROPIC_API_KEY", True),
        ("gemini", gemini_shape, "GEMINI_API_KEY", False),
    ],
)
def test_a_preset_is_understood_by_its_provider(server, tmp_path, monkeypatch, preset, shape, key, price):
    monkeypatch.setenv(key, "k-of-nobody")
    reply = shape(server)
    server.faults.append(lambda h, n: reply(h, server.log[n].body))
    place = (
        f"instructor.base_url={server.url}",
        f"instructor.cache={tmp_path / 'a.sqlite'}",
        "instructor.temperature=0.5",
    )
    made = built(f"instructor={preset}", *place)["method"].diagnose.instructor
    (found,) = made.diagnose([four()])
    assert found.keyphrase.phrase == "drops a step"
    assert server.log[0].key == "Bearer k-of-nobody"
    assert server.log[-1].body["model"] == made.model
    assert (found.usage.usd > 0) == price
    assert price or any("no price" in n for n in made.spent()["notes"])
    if not price:
        with pytest.raises(ConfigError, match=r"max_usd=1.0 cannot be kept: instructor.usd_in=None"):
            built(f"instructor={preset}", "instructor.max_usd=1.0")


def test_a_client_needs_no_key_to_know_its_dialect(tmp_path):
    shared = {"base_url": URL, "api_key": "k", "structured": True, "limits": Limits()}
    one, two = (Client(model=m, cache=Answers(tmp_path / m), **shared) for m in ("a", "b"))
    assert one.dialect is not two.dialect
    assert one.dialect is Client(model="a", cache=Answers(tmp_path / "a"), **shared).dialect
