"""What identifies a configuration, and what a summary says of an instructor."""

from __future__ import annotations

from sei.report.summary import config_digest

CONFIG = {"store": "/a/store", "seed": 1, "name": "x", "instructor": {"cache": "/a/store/answers.sqlite", "model": "m"}}


def changed(**more):
    return config_digest({**CONFIG, **more})


def test_where_the_store_lies_and_what_a_run_is_called_do_not_matter():
    moved = {"store": "/b", "instructor": {"cache": "/b/answers.sqlite", "model": "m"}}
    assert changed(**moved) == changed() == changed(name="y") == changed(estimate=True)


def test_what_can_change_a_result_does():
    assert (
        len({changed(), changed(seed=2), changed(instructor={"cache": "/a/store/answers.sqlite", "model": "n"})}) == 3
    )
    assert changed(instructor={"cache": "/elsewhere/answers.sqlite", "model": "m"}) != changed()
