"""The review file: how a person may edit error types, with any clusterer."""

from __future__ import annotations

import pytest
import yaml

from sei.errors import ConfigError
from sei.records import ErrorMap, ErrorType
from sei.stages.review import read_review, review_text
from sei.store import digest
from tests.builders import keyphrase, phrases
from tests.doubles import clustering

PHRASES = phrases(3, 12)  # a, ax, axx, ... b, bx, ... c, cx, ...


def reviewed(tmp_path, edit):
    found = yaml.safe_load(review_text(clustering()(PHRASES, seed=0)))
    edit(found)
    path = tmp_path / "edited.yaml"
    path.write_text(yaml.safe_dump(found))
    return clustering(review=str(path))


def types_of(error_map):
    return {t.name: sorted({k.phrase[0] for k in t.members}) for t in error_map.types}


def sizes_of(error_map):
    return {t.name: len(t.members) for t in error_map.types}


def test_an_unedited_file_changes_nothing(tmp_path):
    assert reviewed(tmp_path, lambda f: None)(PHRASES, seed=0) == clustering()(PHRASES, seed=0)


def test_a_phrase_in_two_spellings_stands_once_in_the_file(tmp_path):
    types = tuple(
        ErrorType(name=n, members=tuple(keyphrase(i + 10 * k, p) for i in range(k)), exemplars=(), validation=())
        for n, p, k in (("sum", "Added the numbers", 2), ("total", "added  the numbers", 3))
    )
    path = tmp_path / "unedited.yaml"
    path.write_text(review_text(ErrorMap(types=types)))
    assert [t.phrases for t in read_review(str(path)).types] == [[], ["Added the numbers"]]


def test_rename_merge_move_and_drop(tmp_path):
    def edit(f):
        by = {t["phrases"][0][0]: t for t in f["types"]}
        by["a"]["name"] = by["b"]["name"] = "merged"
        by["b"]["phrases"].remove("bx")
        by["c"]["phrases"].append("bx")
        by["c"]["name"] = "renamed"
        by["c"]["phrases"].remove("c")
        f["types"].append({"name": "rubbish", "phrases": ["c"], "drop": True})

    found = reviewed(tmp_path, edit)(PHRASES, seed=0)
    assert types_of(found) == {"merged": ["a", "b"], "renamed": ["b", "c"]}
    n = {p: sum(k.phrase == p for k in PHRASES) for p in ("bx", "c")}
    assert sizes_of(found) == {"merged": 24 - n["bx"], "renamed": 12 - n["c"] + n["bx"]}
    assert {(r.reason, r.detail) for r in found.rejections} == {("dropped_in_review", "c")}
    assert len(found.rejections) == n["c"]
    assert len(found.points) == 36 - n["c"]


def test_phrases_that_stand_nowhere_are_clustered_or_dropped(tmp_path):
    """Unlisted phrases keep the type of the clusterer or are dropped."""

    def forget(f):
        f["types"] = [t for t in f["types"] if t["phrases"][0][0] != "b"]

    def forget_and_drop(f):
        forget(f)
        f["unlisted"] = "drop"

    assert reviewed(tmp_path, forget)(PHRASES, seed=0).types == clustering()(PHRASES, seed=0).types
    assert "b" not in {x for t in reviewed(tmp_path, forget_and_drop)(PHRASES, seed=0).types for x in types_of_one(t)}


def types_of_one(t):
    return {k.phrase[0] for k in t.members}


def test_the_text_is_in_the_key_and_the_path_is_not(tmp_path):
    a = reviewed(tmp_path, lambda f: None)
    before, plain = digest(a), digest(clustering())
    (tmp_path / "moved.yaml").write_text((tmp_path / "edited.yaml").read_text())
    assert digest(clustering(review=str(tmp_path / "moved.yaml"))) == before
    assert before != plain
    assert digest(reviewed(tmp_path, lambda f: f["types"][0].update(name="other"))) != before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("types: [", "cannot be read"),
        ("types: 3", "types=3"),
        ("types: [{name: a, phrases: [x], colour: red}]", "colour"),
        ("types: [{name: a, phrases: [x]}, {name: b, phrases: [X]}]", r"'x' is listed in a .type 1. and b .type 2."),
        ("types: [{name: '', phrases: [x]}]", "name"),
        ("!!python/object/apply:os.system ['touch canary']", "cannot be read"),
    ],
)
def test_a_broken_file_is_refused_when_the_part_is_built(tmp_path, text, message):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"(?s)review=.*broken.yaml.*{message}.*Remedy"):
        clustering(review=str(path))


def test_a_missing_file_is_refused():
    with pytest.raises(ConfigError, match="no/such/file"):
        clustering(review="no/such/file.yaml")
