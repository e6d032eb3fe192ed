"""Bodies with status 200 that are not bare JSON: read, counted, or reported with their beginning."""

from __future__ import annotations

import json

import pytest

from sei.instructors.remote import dialect
from sei.instructors.remote.bodies import value_of
from sei.instructors.remote.replied import of_text
from sei.instructors.remote.terms import StoppedError
from sei.instructors.remote.verdict import Ok, Reask, Retry
from tests.instructors.remote.calls import PHRASE, client, echo, four, instructor, requests, values
from tests.instructors.remote.fault_server import FaultServer, answer, send

pytestmark = [
    pytest.mark.usefixtures("quick"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(dialect, "_KNOWN", {})
    made = FaultServer(reply=lambda _: PHRASE)
    yield made
    made.close()


def body(content=PHRASE, finish="stop", top=(), **more):
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content}, **more}
    usage = {"prompt_tokens": 100, "completion_tokens": 20}
    return {"object": "chat.completion", "model": "m", "choices": [choice], "usage": usage, **dict(top)}


def chunk(finish=None, usage=None, **delta):
    more = {"usage": usage} if usage else {}
    return {"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


PARTS = [PHRASE[i : i + 10] for i in range(0, len(PHRASE), 10)]
LAST = chunk("stop", {"prompt_tokens": 100, "completion_tokens": 20})
CHUNKS = [chunk(role="assistant", content=""), *(chunk(content=x) for x in PARTS), LAST]
USAGE_ALONE = [*CHUNKS[:-1], chunk("stop"), {"choices": [], "usage": LAST["usage"]}]
WHOLE = json.dumps(body())


def events(chunks, end="data: [DONE]\n\n") -> str:
    return "".join(f"data: {json.dumps(c)}\n\n" for c in chunks) + end


BODIES = {
    "events": events(CHUNKS),
    "events, no mark at the end": events(CHUNKS, ""),
    "events, usage alone": events(USAGE_ALONE),
    "events, one whole": events([body()]),
    "events, CRLF and names": "event: message\r\n" + events(CHUNKS).replace("\n", "\r\n"),
    "events, comments": ": OPENROUTER PROCESSING\n\n" + events(CHUNKS),
    "lines": "\n".join(map(json.dumps, CHUNKS)),
    "comments": ": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n" + WHOLE,
    "mark": "\ufeff" + WHOLE,
    "white space": " \n \n" + WHOLE,
    "twice encoded": json.dumps(WHOLE),
    "raw control character": WHOLE.replace("a step", "a\x01 step"),
    "raw line break": json.dumps(body("so:\n" + PHRASE)).replace("\\n", "\n"),
    "long number": WHOLE.replace('"model"', f'"created": {"9" * 5_000}, "model"'),
    "delta": json.dumps({**body(), "choices": [{"delta": {"content": PHRASE}, "finish_reason": "stop"}]}),
    "empty text beside": json.dumps(body(text="")),
    "text beside": json.dumps(body(text="other")),
    "length, then white space": json.dumps(body(PHRASE + "\n" * 900, "length")),
    "length in a fence": json.dumps(body(f"```json\n{PHRASE}\n```" + "\n" * 99, "length")),
    "length after thoughts": json.dumps(body(f"<think>hm</think>{PHRASE}" + " " * 99, "length")),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_holds_the_reply_is_read(server, tmp_path, name):
    server.faults.append(lambda h, n: send(h, 200, BODIES[name].encode()))
    (found,) = instructor(server, tmp_path).diagnose([four()])
    assert found.keyphrase is not None
    assert found.keyphrase.phrase == "drops a step"
    assert (len(server.log), found.usage.input_tokens, found.usage.output_tokens) == (1, 100, 20)


@pytest.mark.parametrize(
    ("chunks", "kind", "words"),
    [
        ([chunk(content='{"a'), {"error": {"message": "overloaded"}}], Retry, "overloaded"),
        ([chunk(content='{"a'), chunk(content='": 1}')], Retry, "broke off"),
        ([chunk(content='{"a'), chunk("length", content='": ')], Reask, '{"a": '),
        ([chunk(reasoning_content="hm"), chunk("length", reasoning_content="hm")], Reask, "hmhm"),
    ],
)
def test_a_stream_ends_as_it_says(chunks, kind, words):
    found = of_text(events(chunks, ""))
    assert isinstance(found, kind)
    assert words in (found.detail if isinstance(found, Reask) else found.reason)


def test_calls_and_halves_of_characters_are_joined():
    def call(text):
        return chunk(tool_calls=[{"index": 0, "function": {"arguments": text}}])

    assert of_text(events([call(x) for x in PARTS] + [LAST])).text == PHRASE
    halves = of_text(events([chunk(content="a \ud83d"), chunk(content="\ude00"), LAST]))
    assert isinstance(halves, Ok)
    assert halves.text == "a \U0001f600"
    plain = of_text(events([{"choices": [{"text": x}]} for x in "abc"]))
    assert isinstance(plain, Ok)
    assert plain.text == "abc"


@pytest.mark.parametrize(
    "text",
    ['{"a":' * 100_000 + "1" + "}" * 100_000, "[" * 900 + "]" * 900, json.dumps(WHOLE + WHOLE), "<html>Welcome</html>",
     "{}", "", '"x"', json.dumps({"choices": [{"message": {"content": [[[]]]}}]})[:-2]],
    ids=["deep", "lists", "two", "page", "empty object", "empty", "text", "cut"],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_sent_again(text):
    found = of_text(text)
    assert isinstance(found, Retry)
    assert found.unreadable


def test_content_that_is_nested_too_deep_is_no_crash():
    deep = json.loads("[" * 600 + '"x"' + "]" * 600)
    assert isinstance(of_text(json.dumps(body(deep))), Retry)


def test_a_body_that_never_can_be_read_stops_the_run(server, tmp_path, monkeypatch):
    monkeypatch.setattr("sei.instructors.remote.client._STARTING", 0)
    server.faults.append(lambda h, n: send(h, 200, b"<html>Welcome to nginx</html>", Content_Type="text/html"))
    words = r"HTTP 200, but with a body that is no JSON \(Welcome to nginx\)\. Rule: .*Remedy: check instructor"
    with pytest.raises(StoppedError, match=words) as stopped:
        list(client(server, tmp_path, concurrency=1, give_up=300.0).run(requests(4)))
    assert stopped.value.exit_code == 75
    assert len(server.log) <= 4 * 5
    monkeypatch.undo()
    server.faults[:] = [lambda h, n: n < 8 and send(h, 200, b"<html>Wait</html>")]
    server.reply = echo
    assert values(client(server, tmp_path, concurrency=1).run(requests(4))) == [0, 1, 2, 3]


GERMAN = json.dumps(body('{"keyphrase": "vergißt Klammern überall"}'), ensure_ascii=False)


@pytest.mark.parametrize(
    ("charset", "told"),
    [
        ("latin-1", "application/json; charset=iso-8859-1"),
        ("cp1252", 'application/json; charset="windows-1252"'),
        ("utf-16", "application/json; charset=utf-16"),
        ("utf-16", "application/json"),
        ("utf-8", "application/json; charset=iso-8859-1"),
        ("utf-8", "application/json; charset=nobody-knows"),
        ("utf-8", "text/plain"),
        ("utf-8-sig", "application/json"),
    ],
)
def test_the_charset_of_a_body_is_heeded(server, tmp_path, charset, told):
    server.faults.append(lambda h, n: send(h, 200, GERMAN.encode(charset), Content_Type=told))
    (found,) = instructor(server, tmp_path).diagnose([four()])
    assert found.keyphrase.phrase == "vergißt Klammern überall"


@pytest.mark.parametrize("told", ["application/json", "application/json; charset=utf-8"])
def test_bytes_that_are_no_text_are_counted_by_their_cause(server, tmp_path, told):
    server.faults.append(lambda h, n: send(h, 200, GERMAN.encode("latin-1"), Content_Type=told))
    made = instructor(server, tmp_path, usd_in=1.0, usd_out=1.0)
    (found,) = made.diagnose([four()])
    assert found.rejection.reason == "charset"
    assert "no text in utf-8 (Content-Type: " in found.rejection.detail
    assert f"{told}). It begins: " in found.rejection.detail
    assert (len(server.log), made.spent()["estimated"]) == (2, 1)
    assert made.spent()["spent_usd"] > 0


HALF = b'{"choices": [{"message": {"content": %s}}], "model": "m\\ud83d", "usage": {"prompt_tokens": 1}}'


@pytest.mark.parametrize(
    ("status", "sent", "reason"),
    [
        (200, HALF % b'"{\\"keyphrase\\": \\"adds \\ud83d instead\\"}"', "off_contract"),
        (200, HALF % b'"sorry \\ud83d no"', "off_contract"),
        (200, HALF % b'null, "refusal": "sorry \\ud83d no"', "refusal"),
        (400, b'{"error": {"message": "sorry \\ud83d no"}}', "bad_request"),
    ],
)
def test_half_a_character_is_no_crash_and_counted(server, tmp_path, status, sent, reason):
    server.faults.append(lambda h, n: send(h, status, sent))
    (found,) = instructor(server, tmp_path).diagnose([four()])
    assert found.rejection.reason == reason
    assert "\ufffd" in found.rejection.detail
    found.rejection.detail.encode()


def test_half_a_character_outside_the_reply_is_harmless():
    found = of_text((HALF % json.dumps(PHRASE).encode()).decode())
    assert isinstance(found, Ok)
    assert (found.text, found.model) == (PHRASE, "m\ufffd")


def test_half_a_character_in_our_request_is_told(server, tmp_path):
    (found,) = instructor(server, tmp_path).diagnose([four("How \ud83d many?")])
    assert found.rejection.reason == "unencodable"
    assert len(server.log) == 0


def test_values_are_read_exactly():
    assert value_of("\ufeff: c\n [1, 2]") == [1, 2]
    assert value_of('{"a": 12345678901234567890}') == {"a": 12345678901234567890}
    with pytest.raises(ValueError, match=r"."):
        value_of(": c\n")


def test_a_cut_reply_is_not_taken_for_a_whole_one(server, tmp_path):
    for text in ('{"problems": [{"a": 1}', '{"a": 1} and', 'so {"a": 1}', '<think>{"a": 1}', '{"a": 1', '{"a": 1}\n'):
        found = of_text(json.dumps(body(text, "length")))
        assert isinstance(found, Reask)
    server.faults.append(lambda h, n: answer(h, "[", finish="length"))
    (lost,) = client(server, tmp_path).run(requests(1))
    assert lost.reason == "length"
