"""``clusterer=llm`` against a real loopback server."""

from __future__ import annotations

import json

import pytest

from sei.clusterers.llm import LLMClusterer
from sei.errors import TooManyBadRecordsError
from sei.instructors.remote.instructor import OpenAICompatible
from tests.builders import phrases
from tests.doubles import clustering
from tests.instructors.remote.fault_server import FaultServer

pytestmark = [
    pytest.mark.usefixtures("quick"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def shown(body):
    """The JSON list of phrases or names that a request shows."""
    text = body["messages"][0]["content"]
    return json.JSONDecoder().raw_decode(text[text.index('[\n {\n  "id"') :])[0]


def by_letter(body):
    """Group phrases by first letter; at the end, call every type that starts with "letter b" the same as "letter a"."""
    rows = shown(body)
    if "name" in rows[0]:
        ids = [r["id"] for r in rows if r["name"] in ("letter a", "letter b")]
        return json.dumps({"error_types": [{"name": "letters a and b", "ids": ids}]})
    groups = {}
    for r in rows:
        groups.setdefault(f"letter {r['phrase'][0]}", []).append(r["id"])
    return json.dumps({"error_types": [{"name": n, "ids": ids} for n, ids in groups.items()]})


@pytest.fixture
def server():
    made = FaultServer(reply=by_letter)
    yield made
    made.close()


def llm(server, tmp_path, **more):
    instructor = OpenAICompatible(
        model="scripted", base_url=server.url, cache=str(tmp_path / "a.sqlite"), api_key_env="", usd_in=1.0, usd_out=1.0
    )
    return LLMClusterer(instructor=instructor, **{"batch": 6, **more})


def test_batches_join_earlier_types_and_names_are_merged(server, tmp_path):
    keyphrases = phrases(4, 12)
    found = clustering(llm(server, tmp_path))(keyphrases, seed=0)
    assert {t.name: sorted({k.phrase[0] for k in t.members}) for t in found.types} == {
        "letters a and b": ["a", "b"], "letter c": ["c"], "letter d": ["d"]
    }  # fmt: skip
    distinct = len({k.phrase for k in keyphrases})
    batches = -(-distinct // 6)
    assert len(server.log) == batches + 1
    first, second = (s.body["messages"][0]["content"] for s in server.log[:2])
    assert "letter a" not in first
    assert "letter a" in second  # known types are shown
    assert found.usage.requests == batches + 1
    assert found.usage.usd == pytest.approx(110e-6 * (batches + 1))
    again = clustering(llm(server, tmp_path))(keyphrases, seed=0)
    assert again == found
    assert len(server.log) == batches + 1  # nothing is requested twice


def test_without_merging_names_stay(server, tmp_path):
    found = clustering(llm(server, tmp_path, merge=False))(phrases(3, 12), seed=0)
    assert {t.name for t in found.types} == {"letter a", "letter b", "letter c"}


def test_a_phrase_left_out_has_no_type_and_is_counted(server, tmp_path):
    def forgetful(body):
        found = json.loads(by_letter(body))
        found["error_types"][0]["ids"].append(found["error_types"][0]["ids"][0])  # twice
        found["error_types"][-1]["ids"].pop()
        return json.dumps(found)

    server.reply = forgetful
    keyphrases = phrases(3, 10)
    found = clustering(llm(server, tmp_path, merge=False, batch=100))(keyphrases, seed=0)
    lost = [r for r in found.rejections if r.reason == "no_type"]
    assert len(lost) == sum(k.phrase == lost[0].detail for k in keyphrases) > 0
    assert sum(len(t.members) for t in found.types) == 30 - len(lost)
    assert len(server.log) == 1


def test_useless_replies_are_asked_again_and_then_stop_the_run(server, tmp_path):
    server.reply = lambda body: json.dumps({"error_types": [{"name": "one of them", "ids": [1]}]})
    with pytest.raises(TooManyBadRecordsError, match=r"30 of 30 keyphrases.*off_contract.*Remedy"):
        clustering(llm(server, tmp_path, batch=100))(phrases(3, 10), seed=0)
    assert len(server.log) == 2
    assert "14 of 15 ids stand in no type" in server.log[1].body["messages"][-1]["content"]


def test_many_phrases_that_are_all_one_type_are_not_grouped(server, tmp_path):
    """What Qwen2.5-Coder-1.5B-Instruct does with free phrases (experiments/measurements/phrase_views.md)."""

    def lump(body):
        return json.dumps({"error_types": [{"name": "arithmetic mistakes", "ids": [r["id"] for r in shown(body)]}]})

    server.reply = lump
    with pytest.raises(TooManyBadRecordsError, match=r"60 of 60 keyphrases.*off_contract.*Remedy: a stronger"):
        clustering(llm(server, tmp_path, batch=100))(phrases(6, 10), seed=0)
    assert "30 of 30 ids stand in one type" in server.log[1].body["messages"][-1]["content"]
    few = clustering(llm(server, tmp_path, merge=False, batch=10))(phrases(1, 10), seed=0)
    assert [t.name for t in few.types] == ["arithmetic mistakes"]


def test_a_later_batch_may_belong_to_one_type(server, tmp_path):
    def first_letter(body):
        if "letter a" not in body["messages"][0]["content"]:
            return by_letter(body)
        return json.dumps({"error_types": [{"name": "letter a", "ids": [r["id"] for r in shown(body)]}]})

    server.reply = first_letter
    found = clustering(llm(server, tmp_path, merge=False, batch=40))(phrases(16, 10), seed=0)
    assert found.rejections == ()
    assert sum(len(t.members) for t in found.types) == 160


def test_a_placebo_and_a_review_work_on_it(server, tmp_path):
    from sei.clusterers.shuffled import Shuffled

    found = clustering(Shuffled(inner=llm(server, tmp_path, merge=False)))(phrases(3, 12), seed=0)
    assert sorted(len(t.members) for t in found.types) == [12, 12, 12]
    assert any(len({k.phrase[0] for k in t.members}) > 1 for t in found.types)


@pytest.mark.parametrize("shift", [-1, 900], ids=["from 0", "unknown"])
def test_an_id_that_was_not_shown_refuses_the_reply(server, tmp_path, shift):
    """Numbers from 0 would give every phrase the type of the one before it."""

    def shifted(body):
        found = json.loads(by_letter(body))
        if len(body["messages"]) == 1:
            for t in found["error_types"]:
                t["ids"] = [i + shift if shift < 0 or i == 1 else i for i in t["ids"]]
        return json.dumps(found)

    server.reply = shifted
    found = clustering(llm(server, tmp_path, merge=False, batch=100, max_left_out=0.9))(phrases(3, 10), seed=0)
    assert {t.name: {k.phrase[0] for k in t.members} for t in found.types} == {f"letter {x}": {x} for x in "abc"}
    assert f"there is no id {1 + shift}; the ids are 1 to 15" in server.log[1].body["messages"][-1]["content"]


@pytest.mark.parametrize("name", ["...", "the name", "<name>"])
def test_a_repeated_form_replaces_no_types(server, tmp_path, name):
    server.reply = lambda body: by_letter(body) + json.dumps({"error_types": [{"name": name, "ids": [1, 2]}]})
    found = clustering(llm(server, tmp_path, merge=False, max_left_out=1.0))(phrases(2, 10), seed=0)
    assert {t.name for t in found.types} == {"letter a", "letter b"}
    server.reply = lambda body: json.dumps({"error_types": [{"name": name, "ids": [r["id"] for r in shown(body)]}]})
    with pytest.raises(TooManyBadRecordsError, match="off_contract"):
        clustering(llm(server, tmp_path / "b", merge=False))(phrases(2, 10), seed=0)
