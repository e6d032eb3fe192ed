"""Error types keep a name under which they can be followed over rounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sei.records import ErrorType
from sei.stages.cluster import Cluster
from sei.stages.type_names import last_seen, stable_names
from tests.builders import keyphrase, phrases
from tests.doubles import clustering


def of(groups, start=0, length=1):
    """Return keyphrases of named letters: {letter: ids}; other lengths make other phrases of the same type."""
    return tuple(keyphrase(start + i, letter + "x" * (length + i % 5)) for letter, ids in groups.items() for i in ids)


def test_a_type_that_goes_on_keeps_its_name():
    first = clustering()(phrases(4, 12), seed=0).types
    names = {t.label: {k.phrase[0] for k in t.members} for t in first}
    assert all(t.label == t.name for t in first)
    later = {"b": range(100, 112), "d": range(200, 212), "f": range(300, 312)}  # other problems, other wording
    second = clustering()(of(later, length=9), seed=0, earlier=first).types
    followed = {next(iter({k.phrase[0] for k in t.members})): t.label for t in second}
    assert names[followed["b"]] == {"b"}
    assert names[followed["d"]] == {"d"}
    assert followed["f"] not in names
    assert all(t.label != t.name for t in second if t.label in names)


def test_bad_cases_alone_can_carry_a_name_on():
    first = clustering()(of({"a": range(12), "b": range(20, 32), "c": range(40, 52)}), seed=0).types
    moved = clustering()(
        of({"p": range(12), "q": range(60, 72), "r": range(80, 92)}, length=7), seed=0, earlier=first
    ).types
    labels = {next(iter({k.phrase[0] for k in t.members})): t.label for t in moved}
    assert labels["p"] == next(t.label for t in first if t.members[0].phrase[0] == "a")
    assert not {labels["q"], labels["r"]} & {t.label for t in first}


def test_a_new_type_never_takes_the_name_of_an_earlier_one():
    first = clustering()(of({"a": range(12), "b": range(20, 32), "c": range(40, 52)}), seed=0).types
    earlier = tuple(replace(t, stable="qxxxxxxxxx") if t.members[0].phrase[0] == "a" else t for t in first)
    later = clustering()(
        of({"q": range(60, 72), "r": range(80, 92), "s": range(90, 99)}, length=7), seed=0, earlier=earlier
    )
    labels = [t.label for t in later.types]
    assert "qxxxxxxxxx [2]" in labels
    assert len(set(labels)) == len(labels)


def test_a_type_that_was_away_for_a_round_is_known_again():
    first = clustering()(of({"a": range(12), "b": range(20, 32), "c": range(40, 52)}), seed=0).types
    second = clustering()(of({"b": range(20, 32), "c": range(40, 52), "d": range(60, 72)}), seed=0, earlier=first).types
    known = last_seen(first, second)
    assert len(known) == 4
    third = clustering()(
        of({"a": range(100, 112), "c": range(40, 52), "d": range(60, 72)}, length=5), seed=0, earlier=known
    )
    assert {t.label for t in third.types} < {t.label for t in known}


def test_earlier_types_change_names_and_nothing_else():
    first = clustering()(phrases(3, 12), seed=0).types
    plain, followed = (clustering()(phrases(5, 12), seed=0, earlier=e) for e in ((), first))
    assert [replace(t, stable="") for t in plain.types] == [replace(t, stable="") for t in followed.types]
    assert isinstance(clustering(), Cluster)


def typed(name, vectors, ids):
    """Return an error type with these bad cases, and the vectors of its members."""
    members = tuple(keyphrase(i, name) for i in ids)
    rows = np.array(vectors, dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return ErrorType(name=name, members=members, exemplars=(), validation=()), rows


def named(types, earlier):
    return stable_names([t for t, _ in types], [t for t, _ in earlier], [rows for _, rows in (*types, *earlier)])


def test_a_pair_that_is_too_unlike_takes_no_name_from_another():
    x, y = typed("x", [[1, 0, 0]] * 8, range(8)), typed("y", [[0, 1, 0]] * 8, range(10, 18))
    a = typed("a", [[0.8, 0.58, 0.15]] * 8, range(20, 28))  # .80 like x, .58 like y
    b = typed("b", [[0.65, 0, 0.76]] * 4, range(30, 34))  # .65 like x
    assert named([a, b], [x, y]) == ["x", "b"]


def test_one_shared_case_does_not_outweigh_a_type_that_goes_on():
    x = typed("x", [[1, 0]] * 81, range(81))
    goes_on = typed("goes on", [[0.995, 0.1]] * 80, range(100, 180))
    stray = typed("stray", [[0, 1]], [80])  # now another phrase, for a case that x had
    assert named([stray, goes_on], [x]) == ["stray", "x"]
