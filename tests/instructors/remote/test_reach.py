"""A local address without a listener is detected before anything costs, and at once during a run."""

from __future__ import annotations

import socket
import time
from dataclasses import replace

import pytest

from sei.engines.openai_server import ServedEngine
from sei.errors import ConfigError
from sei.instructors.remote.answers import Answers
from sei.instructors.remote.reach import is_loopback, nobody_listens
from sei.instructors.remote.terms import StoppedError
from tests.compose import built


@pytest.fixture
def dead() -> str:
    """Return a local address without a listener."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{s.getsockname()[1]}/v1"


def instructor(url, tmp_path):
    made = built("instructor=openai_compatible", f"instructor.base_url={url}")["method"].diagnose.instructor
    return replace(made, cache=str(tmp_path / "answers.sqlite"))


def test_a_dead_server_is_refused_in_seconds(dead, tmp_path):
    start = time.monotonic()
    with pytest.raises(ConfigError, match=r"instructor.base_url=http://127.* nothing listens there"):
        instructor(dead, tmp_path).preflight()
    assert time.monotonic() - start < 3


def test_kept_answers_may_do_without_a_server(dead, tmp_path, caplog):
    Answers(tmp_path / "answers.sqlite").put("key", {"text": "x"})
    with caplog.at_level("WARNING"):
        instructor(dead, tmp_path).preflight()
    assert "Kept answers are used as far as possible" in caplog.text


def test_the_first_request_to_a_dead_server_does_not_wait(dead, tmp_path):
    asked = instructor(dead, tmp_path)
    start = time.monotonic()
    with pytest.raises(StoppedError, match=r"nothing listens at http://127.*start the server"):
        list(asked.ask([asked.solve_request("1 + 1?")]))
    assert time.monotonic() - start < 20


def test_an_engine_without_a_server_is_refused_when_it_is_opened(dead):
    target = built()["model"]
    engine = ServedEngine(url=dead, model="m")
    with (
        pytest.raises(ConfigError, match=r"engine.url=http://127.* nothing listens there"),
        engine.open(target, target.base()),
    ):
        pass


def test_addresses_elsewhere_are_not_tried(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: pytest.fail("it was tried"))
    assert not nobody_listens("https://api.openai.com/v1")
    assert not is_loopback("http://10.0.0.1:8000/v1")
    assert [is_loopback(f"http://{h}:1/v1") for h in ("localhost", "127.0.0.2", "[::1]")] == [True] * 3
