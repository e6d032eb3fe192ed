"""Parts are built from a config node, or refused by key, and have to fit the Protocol of their place."""

from __future__ import annotations

import pytest

from sei.build import build
from sei.contracts import misfits
from sei.errors import ConfigError
from sei.ports import Clusterer, Instructor
from sei.refiners.random import RandomRefinement
from sei.stages.refine import Refine

RANDOM = {"_target_": "sei.refiners.random.RandomRefinement", "keep": 0.25}


class Fits:
    def group(self, phrases, vectors, seed, extra=1): ...


class Renamed:
    def group(self, words, vectors, seed): ...


class Demanding:
    def group(self, phrases, vectors, seed, extra): ...


class Anything:
    def group(self, *given): ...


@pytest.mark.parametrize("cls", [Fits, Anything])
def test_a_class_that_can_be_called_fits(cls):
    assert misfits(cls, Clusterer) is None


@pytest.mark.parametrize("cls", [Renamed, Demanding])
def test_a_class_that_cannot_be_called_is_named(cls):
    found = misfits(cls, Clusterer)
    assert found is not None
    assert found.startswith(f"{cls.__name__}.group(")
    assert found.endswith("does not fit Clusterer.group(self, phrases, vectors, seed)")


def test_a_method_that_is_missing_is_no_matter_of_parameters():
    assert misfits(Fits, Instructor) is None


def test_a_node_with_a_scorer_becomes_a_stage_that_holds_it():
    built = build(RANDOM, "refiner", ())
    assert isinstance(built, Refine)
    assert (built.keep, type(built.scorer)) == (0.25, RandomRefinement)


def test_equal_nodes_are_one_part():
    one, other = build([RANDOM, dict(RANDOM)], "refiner", ())
    assert one is other


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (RANDOM | {"kept": 1}, r"refiner\.kept=1: .*Remedy: RandomRefinement takes \[.*'keep'"),
        (RANDOM | {"keep": "much"}, r"refiner\.keep='much'"),
        ({"_target_": "os.system"}, r"refiner\._target_='os\.system': parts come from sei or a package under plugins"),
        (
            {"_target_": "sei.refiners.random.Nothing"},
            r"refiner\._target_='sei\.refiners\.random\.Nothing': no such part",
        ),
        ({"_target_": "sei.build.build"}, r"refiner\._target_='sei\.build\.build': not a part"),
    ],
)
def test_a_node_that_cannot_be_built_is_refused_by_key(node, words):
    with pytest.raises(ConfigError, match=words):
        build(node, "refiner", ())
