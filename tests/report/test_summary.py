"""The identity of a configuration, and the instructor's part of a summary."""

from __future__ import annotations

from sei.report.summary import config_digest, from_environment

CONFIG = {"store": "/a/store", "seed": 1, "name": "x", "instructor": {"cache": "/a/store/answers.sqlite", "model": "m"}}


def changed(**more):
    return config_digest({**CONFIG, **more})


def test_the_place_of_the_store_and_names_of_runs_do_not_matter():
    moved = {"store": "/b", "instructor": {"cache": "/b/answers.sqlite", "model": "m"}}
    assert changed(**moved) == changed() == changed(name="y") == changed(estimate=True)


def test_what_can_change_a_result_does():
    assert (
        len({changed(), changed(seed=2), changed(instructor={"cache": "/a/store/answers.sqlite", "model": "n"})}) == 3
    )
    assert changed(instructor={"cache": "/elsewhere/answers.sqlite", "model": "m"}) != changed()


def test_what_a_config_took_from_the_environment_is_told():
    """Values from the environment are reported, except places and passwords."""
    written = {
        "store": "${oc.env:SEI_STORE,x}",
        "data_folder": "${oc.env:SEI_DATA,null}",
        "data": {"sets": {"train": "${oc.env:SEI_TRAIN,train.jsonl}", "folder": "${data_folder}"}},
        "instructor": {"model": "fixed", "base_url": "${oc.env:SEI_INSTRUCTOR_URL,http://here/v1}"},
    }
    config = {
        "store": "/home/me/store",
        "data_folder": "/data",
        "data": {"sets": {"train": "mine.jsonl", "folder": "/data"}},
        "instructor": {"model": "fixed", "base_url": "http://me:word@there/v1"},
    }
    assert from_environment(config, written) == {
        "data.sets.train": "mine.jsonl",
        "instructor.base_url": "http://(hidden)@there/v1",
    }
