"""The labelled keyphrases in the package are complete and consistent."""

import json
import re

from sei.card.phrases import LABELLED


def read_rows():
    lines = (LABELLED / "keyphrases.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def read_codebook():
    text = (LABELLED / "keyphrases.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\d+\. `(\w+)`", text, re.MULTILINE))


def test_ids_are_unique_and_enough():
    ids = [row["id"] for row in read_rows()]
    assert len(ids) >= 300
    assert len(set(ids)) == len(ids)


def test_labels_are_in_the_codebook():
    codebook = read_codebook()
    assert 10 <= len(codebook) <= 18
    for row in read_rows():
        assert {row["a"], row["b"], row["label"]} <= codebook, row["id"]


def test_both_halves_are_there():
    halves = {row["half"] for row in read_rows()}
    assert halves == {"choose", "report"}


def test_phrases_are_short():
    for row in read_rows():
        assert 2 <= len(row["keyphrase"].split()) <= 12, row["id"]
