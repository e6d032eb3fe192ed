"""The Batch API against a real loopback server: submit, stop, collect, and what goes wrong in between."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from dataclasses import replace

import pytest

from sei.instructors.remote.answers import Answers
from sei.instructors.remote.batch import BatchClient
from sei.instructors.remote.client import Client
from sei.instructors.remote.instructor import OpenAICompatible
from sei.instructors.remote.terms import Limits, StoppedError
from tests.instructors.remote.batch_server import BatchServer, completion, failure, said
from tests.instructors.remote.calls import echo, four, requests, values
from tests.instructors.remote.fault_server import error, html, reset

KEY = "sk-not-a-real-key-1234"
N = 10


@pytest.fixture
def server():
    made = BatchServer(reply=echo)
    yield made
    made.close()


pytestmark = [
    pytest.mark.usefixtures("quick"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def made(kind, server, tmp_path, more=None, **limits):
    return kind(
        base_url=server.url, model="scripted", api_key=KEY, structured=True,
        limits=Limits(**{"timeout": 5.0, "tries": 4, **limits}), cache=Answers(tmp_path / "answers.sqlite"),
        **(more or {}),
    )  # fmt: skip


@pytest.fixture
def client(server, tmp_path):
    """Every call has a new client, like a new process."""
    return lambda more=None, **limits: made(BatchClient, server, tmp_path, more, **limits)


def stops(client, asked, code=75, match="."):
    with pytest.raises(StoppedError, match=match) as stopped:
        list(client.run(asked))
    assert stopped.value.exit_code == code
    return str(stopped.value)


def rows(tmp_path, query):
    db = sqlite3.connect(tmp_path / "answers.sqlite")
    try:
        found = db.execute(query).fetchall()
        db.commit()
        return found
    finally:
        db.close()


def test_submit_stop_collect_and_nothing_is_sent_again(server, client):
    message = stops(client(), requests(N), match="batch_0 is submitted")
    assert "10 requests" in message
    assert "same command again later" in message
    server.batches["batch_0"]["request_counts"] = {"total": 10, "completed": 3, "failed": 1}
    stops(client(), requests(N), match=r"batch_0 is in_progress \(4 of 10 requests done\)")
    assert list(server.batches) == ["batch_0"]
    server.finish()
    assert values(client().run(requests(N))) == list(range(N))
    before = len(server.calls)
    again = client()
    assert values(again.run(requests(N))) == list(range(N))
    assert (len(server.calls), again.ledger.cached) == (before, N)


def test_a_line_asks_what_the_plain_client_asks(server, client, tmp_path):
    (request,) = requests(1)
    stops(client(), [request])
    list(made(Client, server, tmp_path / "other").run([request]))
    (line,) = server.lines("batch_0")
    assert line["body"] == server.log[0].body
    assert line["body"]["response_format"]["json_schema"]["schema"] == request.schema
    assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")


def test_answers_of_the_plain_client_are_found_and_vice_versa(server, client, tmp_path):
    list(made(Client, server, tmp_path).run(requests(4)))
    stops(client(), requests(N), match="6 requests")
    server.finish()
    assert values(client().run(requests(N))) == list(range(N))
    plain = made(Client, server, tmp_path)
    assert values(plain.run(requests(N))) == list(range(N))
    assert (plain.ledger.cached, len(server.log)) == (N, 4)


def test_equal_requests_of_one_call_are_sent_once(server, client):
    asked = [*requests(3), *requests(3)]
    server.scripts["say 1"] = lambda _: completion(None, refusal="no")
    stops(client(), asked, match="3 requests")
    server.finish()
    last = client()
    found = list(last.run(asked))
    assert values(found) == [0, None, 2, 0, None, 2]
    assert (found[1].reason, found[4].reason) == ("refusal", "refusal")
    assert last.ledger.rejected == {"refusal": 1}


def test_lines_that_fail_are_sent_again_asked_again_or_given_up(server, client):
    tried = []

    def busy_once(body):
        tried.append(body)
        return failure(500) if len(tried) == 1 else completion(echo(body))

    server.scripts = {
        "say 1": busy_once,
        "say 2": lambda _: completion('{"other": 1}'),
        "say 3": lambda _: completion(None, refusal="I cannot."),
        "say 4": lambda _: completion(None, finish="content_filter"),
        "say 5": lambda body: (
            completion(echo(body)) if body["max_tokens"] == 40 else completion(echo(body)[:-1], finish="length")
        ),
        "say 6": lambda _: failure(429, "rate_limit_exceeded"),
        "say 7": lambda _: None,
    }
    stops(client(), requests(N))
    server.finish()
    second = client()
    stops(second, requests(N), match=r"batch_1 is submitted \(5 requests\)")
    assert second.ledger.reasked == 2
    lines = {said(x["body"]): x["body"] for x in server.lines("batch_1")}
    assert set(lines) == {"say 1", "say 2", "say 5", "say 6", "say 7"}
    assert lines["say 1"] == tried[0]
    assert [m["content"] for m in lines["say 2"]["messages"][1:2]] == ['{"other": 1}']
    assert "value is missing" in lines["say 2"]["messages"][2]["content"]
    assert lines["say 5"]["max_tokens"] == 40
    del server.scripts["say 6"], server.scripts["say 7"]
    server.finish()
    third = client()
    found = list(third.run(requests(N)))
    assert values(found) == [0, 1, None, None, None, 5, 6, 7, 8, 9]
    assert third.ledger.rejected == {"off_contract": 1, "refusal": 1, "content_filter": 1}
    assert (found[2].detail, found[2].input_tokens, found[2].output_tokens) == ('{"other": 1}', 200, 20)
    assert (found[5].input_tokens, found[3].detail) == (200, "I cannot.")
    assert len(server.batches) == 2


def test_given_up_requests_are_asked_again_by_a_later_run(server, client, tmp_path):
    server.scripts["say 1"] = lambda _: completion(None, refusal="no")
    stops(client(), requests(2))
    server.finish()
    assert values(client().run(requests(2))) == [0, None]
    assert rows(tmp_path, "select * from failed") == []
    stops(client(), requests(2), match="1 requests")


def test_given_up_requests_stay_so_when_a_later_wave_stops(server, client):
    server.scripts["say 1"] = lambda _: completion(None, refusal="no")
    stops(client(), requests(2))
    server.finish()
    for _ in range(2):
        one_run = client()
        assert values(one_run.run(requests(2))) == [0, None]
        stops(one_run, requests(2, start=5))
    assert server.sent()["say 1"] == 1
    server.finish()
    one_run = client()
    assert values(one_run.run(requests(2))) + values(one_run.run(requests(2, start=5))) == [0, None, 5, 6]


def test_a_line_that_never_gets_a_reply_is_given_up(server, client):
    server.scripts["say 1"] = lambda _: failure(500)
    for _ in range(4):
        stops(client(), requests(2))
        server.finish()
    found = list(client().run(requests(2)))
    assert (found[0].value, found[1].reason) == (0, "unavailable")
    assert server.sent() == {"say 0": 1, "say 1": 4}


def test_an_expired_batch_gives_what_it_has_the_rest_is_sent(server, client, tmp_path):
    server.scripts = {f"say {i}": lambda _: None for i in range(4, N)}
    stops(client(), requests(N))
    server.finish("expired")
    server.scripts = {}
    stops(client(), requests(N), match="6 requests")
    assert rows(tmp_path, "select count(*) from answers") == [(4,)]
    server.finish()
    assert values(client().run(requests(N))) == list(range(N))
    assert max(server.sent()[f"say {i}"] for i in range(4)) == 1


def test_requests_that_batches_expire_on_are_never_given_up(server, client):
    server.scripts["say 0"] = lambda _: None
    for _ in range(6):
        stops(client(), requests(1), match="is submitted")
        server.finish("expired")
    server.scripts.clear()
    stops(client(), requests(1), match="is submitted")
    server.finish()
    assert values(client().run(requests(1))) == [0]


def test_a_batch_that_is_over_says_nothing_of_another(server, client, tmp_path):
    stops(client(), requests(2))
    stops(client(), requests(4), match=r"batch_0 is in_progress.*batch_1 is submitted \(2 requests\)")
    running = server.batches.pop("batch_1")
    server.finish()
    server.batches["batch_1"] = running
    stops(client(), requests(4), match="^batch batch_1 is in_progress")
    assert rows(tmp_path, "select count(*) from answers") == [(2,)]
    assert rows(tmp_path, "select * from failed") == []


def test_a_kill_while_results_are_read_loses_and_repeats_nothing(server, client, tmp_path, monkeypatch):
    monkeypatch.setattr("sei.instructors.remote.batch_results._AT_ONCE", 2)
    server.scripts["say 9"] = lambda _: completion("prose")
    stops(client(), requests(N))
    server.finish()

    def killed(text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # results arrive in reverse order: 9 and 8 are kept, 7 is lost with 6
        list(client().run([replace(r, check=killed) if i == 6 else r for i, r in enumerate(requests(N))]))
    assert rows(tmp_path, "select count(*) from answers") == [(1,)]
    stops(client(), requests(N), match="1 requests")
    server.finish()
    assert values(client().run(requests(N))) == [*range(9), None]
    assert server.sent() == {f"say {i}": 1 + (i == 9) for i in range(N)}


@pytest.mark.parametrize(("code", "exit_code"), [("token_limit_exceeded", 75), ("invalid_json_line", 2)])
def test_a_failed_batch_is_told_and_submitted_anew(server, client, code, exit_code):
    stops(client(), requests(N))
    errors = {"object": "list", "data": [{"code": code, "message": "it is so", "line": 3}]}
    server.batches["batch_0"].update(status="failed", errors=errors)
    stops(client(), requests(N), exit_code, match=f"batch_0 failed: it is so.*{code} at line 3")
    stops(client(), requests(N), match="batch_1 is submitted")
    assert set(server.batches) == {"batch_0", "batch_1"}


def test_refused_models_and_used_up_quotas_have_exit_codes(server, client):
    """Lines that refuse the model end with exit code 2, a used-up quota with 75."""
    server.scripts["say 1"] = lambda _: failure(404, "model_not_found")
    stops(client(), requests(2))
    server.finish()
    stops(client(), requests(2), 2, match="no such model")
    server.scripts["say 1"] = lambda _: failure(429, "insufficient_quota")
    stops(client(), requests(2), match="1 requests")
    server.finish()
    stops(client(), requests(2), 75, match="quota")
    assert len(server.batches) == 2  # neither is sent a third time


def lost(tmp_path, server, how):
    if how == "record":
        rows(tmp_path, "delete from batch_keys")
        rows(tmp_path, "delete from batches")
    else:
        rows(tmp_path, "update batches set id = null")


@pytest.mark.parametrize("how", ["record", "id"])
def test_a_batch_made_before_a_kill_is_found_and_not_paid_twice(server, client, tmp_path, how):
    stops(client(), requests(N))
    for i in range(1, 5):  # newer batches of the same account, on more than one page
        server.batches[f"batch_{i}"] = {**server.batches["batch_0"], "id": f"batch_{i}", "metadata": None}
        server.batches[f"batch_{i}"]["status"] = "cancelled"
    lost(tmp_path, server, how)
    stops(client(), requests(N), match="batch_0 is (found again|in_progress)")
    lost(tmp_path, server, how)
    server.finish()
    if how == "record":
        stops(client(), requests(N), match="batch_0 is found again")  # read at the next look
    assert values(client().run(requests(N))) == list(range(N))
    assert server.calls.count("POST /batches") == 1


def test_a_lost_batch_is_found_also_with_further_requests(server, client, tmp_path):
    stops(client(), requests(4))
    lost(tmp_path, server, "id")
    stops(client(), requests(6), match=r"batch_1 is submitted \(2 requests\)")
    assert server.calls.count("POST /batches") == 2


def test_a_kill_before_the_batch_is_made_costs_nothing(server, client, tmp_path):
    def kill(h, call):
        return call == "POST /batches" and error(400)(h)

    server.way.append(kill)
    stops(client(), requests(N), 2)
    assert rows(tmp_path, "select id from batches") == [(None,)]
    server.way.clear()
    stops(client(), requests(N), match="batch_0 is submitted")
    assert rows(tmp_path, "select id from batches") == [("batch_0",)]


def test_a_lost_reply_to_making_a_batch_makes_no_second_one(server, client):
    lose = ["POST /batches"]
    server.after.append(lambda h, call: call in lose and (lose.remove(call) or reset(h)))
    stops(client(), requests(N), match="batch_0")
    assert len(server.batches) == 1


def test_faults_on_the_way_are_tried_again_a_few_times(server, client):
    seen = set()

    def first_time(h, call):
        kind = call.split("/")[1] + call[:4]
        return kind not in seen and (seen.add(kind) or html(503)(h))

    server.way.append(first_time)
    stops(client(), requests(N))
    server.finish()
    assert values(client().run(requests(N))) == list(range(N))
    assert len(server.batches) == 1
    server.way[:] = [lambda h, call: html(503)(h)]
    stops(client(), requests(3, start=50), match="4 tries")


def test_a_refused_key_stops_with_2_and_is_written_nowhere(server, client, tmp_path, caplog):
    caplog.set_level("INFO")
    stops(client(), requests(N))
    server.way.append(lambda h, call: error(401, message=f"bad key {KEY}")(h))
    message = stops(client(), requests(N), 2, match="refuses the key")
    assert KEY not in message + caplog.text
    assert server.keys == {f"Bearer {KEY}"}
    for path in tmp_path.rglob("*"):
        assert KEY.encode() not in path.read_bytes()


def test_a_server_without_a_batch_api_is_told(server, client):
    server.way.append(lambda h, call: error(404)(h))
    stops(client(), requests(N), 2, match=r"no Batch API.*instructor\.batch=false")
    assert not server.batches


def test_a_batch_of_another_account_stops_the_run(server, client, tmp_path, caplog):
    """A batch of another account stops the run, and is sent again after two days."""
    stops(client(), requests(N))
    del server.batches["batch_0"]
    stops(client(), requests(N), 2, match="knows no batch batch_0")
    rows(tmp_path, f"update batches set created = {time.time() - 3 * 86_400}")
    server.batches["other"] = {"id": "other", "object": "batch", "status": "completed", "created_at": 0}
    stops(client(), requests(N), match="batch_1 is submitted")
    assert "no longer knows batch batch_0" in caplog.text


def test_two_processes_at_once_submit_once(server, tmp_path):
    server.way.append(lambda h, call: time.sleep(0.05) or False)
    stopped = []

    def ask(number):
        mine = made(BatchClient, server, tmp_path)
        try:
            list(mine.run(requests(N if number % 2 else 6)))
        except StoppedError as e:
            stopped.append(e.exit_code)
        finally:
            mine.cache.close()

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert stopped == [75] * 4
    assert server.sent() == {f"say {i}": 1 for i in range(N)}


def test_what_a_batch_holds_for_another_caller_stays_for_it(server, client):
    stops(client(), requests(N))
    server.finish()
    assert values(client().run(requests(4))) == list(range(4))
    assert values(client().run(requests(N))) == list(range(N))
    assert len(server.batches) == 1


@pytest.mark.parametrize(("name", "limit", "sizes"), [("MAX_REQUESTS", 4, [4, 4, 2]), ("MAX_BYTES", 1_500, None)])
def test_many_requests_are_split_over_batches(server, client, monkeypatch, name, limit, sizes):
    monkeypatch.setattr(f"sei.instructors.remote.batch_lines.{name}", limit)
    stops(client(), requests(N), match=r"batch_0 is submitted.*batch_1 is submitted")
    files = [server.files[b["input_file_id"]] for b in server.batches.values()]
    assert len(files) > 1
    if sizes:
        assert [len(f.splitlines()) for f in files] == sizes
    else:
        assert max(len(f) for f in files) <= limit
    server.finish()
    assert values(client().run(requests(N))) == list(range(N))


def test_the_ledger_counts_tokens_and_dollars_when_collected(server, client):
    price = {"usd_per_million": (10_000.0, 100_000.0)}  # 2 dollars an answer
    server.scripts["say 1"] = lambda _: completion("prose")
    first = client(**price)
    stops(first, requests(2))
    assert (first.ledger.sent, first.ledger.spent_usd) == (2, 0.0)
    server.finish()
    second = client(**price)
    stops(second, requests(2))
    assert (second.ledger.sent, second.ledger.spent_usd, second.ledger.reasked) == (1, 4.0, 1)
    server.finish()
    third = client(**price)
    list(third.run(requests(2)))
    assert (third.ledger.sent, third.ledger.spent_usd, third.ledger.needed_usd) == (0, 2.0, 6.0)
    assert third.ledger.cached == 1


def test_a_used_up_budget_submits_nothing_but_still_collects(server, client):
    price = {"usd_per_million": (10_000.0, 100_000.0)}
    stops(client(**price), requests(2))
    server.finish()
    poor = client(max_usd=4.0, **price)
    stops(poor, requests(3), match=r"max_usd=4.0 is used up")
    assert len(server.batches) == 1
    assert values(client(max_usd=4.0, **price).run(requests(2))) == [0, 1]
    stops(client(max_usd=4.1, **price), requests(3), match=r"batch_1")


def test_waiting_in_the_foreground(server, client):
    timer = threading.Timer(0.5, server.finish)
    timer.start()
    start = time.monotonic()
    assert values(client({"wait": 20.0, "poll": 0.1}).run(requests(N))) == list(range(N))
    timer.join()
    assert time.monotonic() - start < 10
    stops(client({"wait": 0.3, "poll": 0.1}), requests(2, start=50), match="batch_1 is in_progress")


def test_results_that_are_no_results_are_passed_over(server, client, monkeypatch):
    monkeypatch.setattr("sei.instructors.remote.batch_lines._MAX_LINE", 1_000)
    stops(client(), requests(3))
    server.scripts["say 1"] = lambda _: completion("x" * 5_000)
    server.finish()
    name = server.batches["batch_0"]["output_file_id"]
    (good,) = [x for x in server.files[name].splitlines() if b'\\"value\\": 2' in x]
    junk = [b"not json", b"[" * 900, b"[]", b'{"custom_id": 3}', b'{"custom_id": "other", "response": {}}', b""]
    server.files[name] = b"\n".join([*junk, server.files[name], good, good])
    reading = client(usd_per_million=(10_000.0, 0.0))
    stops(reading, requests(3), match="1 requests")
    assert reading.ledger.spent_usd == 2.0  # a line given twice counts once
    server.scripts.clear()
    server.finish()
    assert values(client().run(requests(3))) == [0, 1, 2]


def test_lone_surrogates_in_a_reply_can_be_kept_and_sent_back(server, client):
    server.scripts["say 1"] = lambda _: completion('{"other": "\ud800"}')
    stops(client(), requests(2))
    server.finish()
    stops(client(), requests(2), match="1 requests")
    server.scripts.clear()
    server.finish()
    assert values(client().run(requests(2))) == [0, 1]


def test_a_server_that_takes_no_response_format_is_asked_without(server, client, caplog):
    server.scripts["say 1"] = lambda body: (
        failure(400, message="response_format is not supported")
        if "response_format" in body
        else completion(echo(body))
    )
    stops(client(), requests(2))
    server.finish()
    stops(client(), requests(2), match="1 requests")
    assert "structured=false" in caplog.text
    server.finish()
    assert values(client().run(requests(2))) == [0, 1]


def test_the_instructor_asks_in_batches_when_told(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    server.reply = lambda _: json.dumps({"first_wrong_step": "", "keyphrase": "drops a step"})
    settings = {"model": "scripted", "base_url": server.url, "cache": str(tmp_path / "a.sqlite"), "batch": True}
    with pytest.raises(StoppedError, match="batch_0"):
        list(OpenAICompatible(**settings, api_key_env="MY_KEY").diagnose([four()]))
    server.finish()
    again = OpenAICompatible(**settings, api_key_env="MY_KEY", usd_in=10_000.0)
    (diagnosis,) = again.diagnose([four()])
    assert diagnosis.keyphrase is not None
    assert diagnosis.keyphrase.phrase == "drops a step"
    assert again.spent()["spent_usd"] == 1.0
    plain = OpenAICompatible(**{**settings, "batch": False}, api_key_env="MY_KEY")
    assert len(list(plain.diagnose([replace(four())]))) == 1
    assert (plain.spent()["cached"], server.log) == (1, [])
