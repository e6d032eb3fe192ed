from __future__ import annotations

import shutil

import numpy as np
import pytest
import yaml

from sei.clusterers.codebook import Codebook, read_codebook
from sei.errors import ConfigError
from sei.store import digest
from tests.builders import phrases
from tests.doubles import Letters, clustering

BOOK = {"types": [{"name": "about a", "phrases": ["a", "axx"]}, {"name": "about b", "phrases": ["b"]}]}


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(BOOK))
    return path


def test_a_phrase_goes_to_the_nearest_prototype(book):
    """A phrase goes to the nearest prototype and types have the codebook's names."""
    clusterer = Codebook(embedder=Letters(), codebook=str(book), open_below=0.5)
    result = clusterer.group(["bxx", "ax", "c", "bxx"], np.zeros((4, 2), dtype=np.float32), 0)
    assert [result.names[x] for x in result.labels] == ["about b", "about a", "other", "about b"]
    types = clustering(clusterer)(phrases(3, 6), seed=0).types
    assert {t.name: {k.phrase[0] for k in t.members} for t in types} == {
        "about a": {"a"},
        "about b": {"b"},
        "other": {"c"},
    }


@pytest.mark.parametrize("n", [1, 2, 20])
def test_any_number_of_phrases_and_unused_types_leave_no_gap(book, n):
    clusterer = Codebook(embedder=Letters(), codebook=str(book))
    result = clusterer.group(["b"] * n, np.zeros((n, 2), dtype=np.float32), 0)
    assert result.labels == (0,) * n
    assert result.names == ("about b",)


def test_the_text_of_a_codebook_is_in_the_key_not_its_place(book, tmp_path):
    key = digest(Codebook(embedder=Letters(), codebook=str(book)))
    copy = shutil.copy(book, tmp_path / "elsewhere.yaml")
    assert digest(Codebook(embedder=Letters(), codebook=str(copy))) == key
    book.write_text(book.read_text().replace("axx", "axxx"))
    assert digest(Codebook(embedder=Letters(), codebook=str(book))) != key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("types: [", ["cannot be read"]),
        ("types: []", ["types", "at least 1"]),
        ("types: [{name: a, phrases: []}]", ["types.0.phrases", "at least 1"]),
        ("types: [{name: a, phrases: [x], colour: red}]", ["types.0.colour", "red"]),
        ("types: [{name: a, phrases: [x]}, {name: A, phrases: [y]}]", ["'a' occurs twice", "rename"]),
        ("types: [{name: a, phrases: [x]}, {name: b, phrases: [X]}]", ["'x' occurs twice"]),
        ("types: [{name: Other, phrases: [x]}]", ["'other'", "fit no type"]),
    ],
)
def test_a_broken_codebook_is_refused_when_built(tmp_path, text, words):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as e:
        Codebook(embedder=Letters(), codebook=str(path))
    for word in ["clusterer.codebook", str(path), "Remedy", *words]:
        assert word in str(e.value)


def test_a_missing_codebook_names_those_that_come_with_sei():
    with pytest.raises(ConfigError, match=r"packaged:no_such.*packaged:school_mathematics"):
        Codebook(embedder=Letters(), codebook="packaged:no_such")


def test_the_packaged_codebook_is_whole():
    types = read_codebook("packaged:school_mathematics").types
    assert len(types) > 20
    assert all(3 <= len(t.phrases) <= 6 for t in types)
