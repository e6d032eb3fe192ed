"""Whole runs against a loopback server with 26 behaviours of real ones, each with its ending (docs/instructors.md).

They run in one process with stages from a shared store; three also run as commands here, and all with ``-m slow``.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import re
import sys
import threading
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sei.__main__ import main
from sei.instructors.remote import dialect
from tests.conftest import ROOT, Sei
from tests.real_data import CASES, needs

pytestmark = [
    needs("SEI_CASES", "odd_server.py"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SMALL = (
    *("experiment=smoke", "tracker=none", "instructor=openai_compatible", "instructor.temperature=0.7"),
    *("data.pool=16", "data.dev=10", "data.test=10", "budget.candidates=6", "budget.per_request=3", "replay=12"),
    *("finetuner.schedule.steps=1", "refiner=none", "near_duplicate=1.0", "instructor.give_up=20"),
)
QUOTA = "sei: the account's quota is used up (HTTP 402: Insufficient Balance). Remedy: top it up"
INSIDE = "sei: the server answers with an error inside a 200 ({}). Remedy: run the same command again"
REFUSED = "diagnoses were refused, more than method.max_fail_share=0.5 ({}: "


@dataclass(frozen=True)
class End:
    """The end of a run: its exit code, words of its message, and special values in its ledger."""

    code: int = 0
    words: str = ""
    types: int = 2
    ledger: tuple[tuple[str, Any], ...] = ()


USED = End()
PLAIN = "takes no response format"
ENDS = {
    **dict.fromkeys("plain think think_nobrace fence reasoning_null reasoning_split parts numeric".split(), USED),
    **dict.fromkeys("boxed_answer null_model unicode_minus chinese mct nojson_ds gemini".split(), USED),
    "same": End(types=1),
    "temp": End(ledger=(("changed", ["temperature"]),)),
    "length": End(ledger=(("reasked", True),)),
    "usage_null": End(ledger=(("estimated", True),)),
    "latex": End(ledger=(("restored", ["latex"]),)),
    "refusal": End(3, REFUSED.format("refusal")),
    "azure_filter": End(3, REFUSED.format("content_filter")),
    "msg400": End(3, REFUSED.format("bad_request")),
    "paid402": End(75, QUOTA),
    "err200": End(75, INSIDE.format("502: Provider returned error")),
    "err200str": End(75, INSIDE.format("model is loading")),
}
STOPPED_WORDS = {"refusal": "I can't help with that", "azure_filter": "content management policy", "msg400": "msg400"}
AS_COMMANDS = ("latex", "azure_filter", "err200str")


class Server(ThreadingHTTPServer):
    """A server that queues all simultaneous connections; with a full queue they would be retried after a second."""

    daemon_threads = True
    request_queue_size = 256


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("odd_server", CASES / "odd_server.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.LOGFILE = str(tmp_path_factory.mktemp("odd") / "requests.jsonl")
    module.H.disable_nagle_algorithm = True  # otherwise each reply waits 40 ms for an acknowledgement
    server = Server(("127.0.0.1", 0), module.H)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("modes")


def overrides(odd: str, mode: str) -> tuple[str, ...]:
    return (*SMALL, f"instructor.base_url={odd}", f"instructor.model={mode}")


def judge(run: Path, code: int, said: str, mode: str) -> None:
    """Compare the end of a run with the table."""
    end, ledger = ENDS[mode], json.loads((run / "ledger.json").read_text())["instructor"]
    assert (code, end.words in said) == (end.code, True), said
    assert "Traceback" not in said
    for name, wanted in end.ledger:
        assert (bool(ledger[name]) if wanted is True else sorted(ledger[name])) == wanted
    if end.code == 75:
        return
    rows = [json.loads(line) for line in (run / "round_1" / "diagnoses.jsonl").read_text().splitlines()]
    if end.code == 3:
        assert {r["rejection"]["reason"] for r in rows} == set(ledger["rejected"])
        assert STOPPED_WORDS[mode] in said
        assert all(STOPPED_WORDS[mode] in r["rejection"]["detail"] for r in rows)
        assert "round_1/diagnoses.jsonl of the run folder" in said
        return
    (one,) = json.loads((run / "summary.json").read_text())["rounds"]
    assert one["bad_cases"] == len(rows) == sum(r["keyphrase"] is not None for r in rows) > 0
    assert (one["synthesized"], set(one["dropped"]) - {"over_quota"}) == (6, set())
    assert (len(one["error_types"]) == 1) == (end.types == 1)
    assert ledger["rejected"] == {}
    made = [json.loads(line) for line in (run / "round_1" / "synthetic.jsonl").read_text().splitlines()]
    for r in made:
        boxes, each = map(int, re.findall(r"packs (\d+) boxes with (\d+)", r["question"])[0])
        assert r["answer"] == str(boxes * each - boxes)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", r["question"] + r["solution"])
        if mode == "latex":
            assert r["question"].endswith(r" Write it as $\frac{a}{b}$ with b \neq 0.")
            assert rf" \times 1, \text{{so}} the answer is \boxed{{{r['answer']}}}" in r["solution"]
            assert r["solution"].splitlines()[-1] == f"#### {r['answer']}"


@pytest.fixture
def quiet_process(monkeypatch, home):
    """Restore what ``main`` changes in its process, and skip a run's pictures, pages and weights."""
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    monkeypatch.setattr("sei.__main__.catch_signals", lambda: None)
    monkeypatch.setattr("sei.instructors.remote.client._BACKOFF", (0.02, 0.2))
    for name in ("_draw", "write_page", "write_model", "write_lm_eval", "write_dataset"):
        monkeypatch.setattr(f"sei.report.run_report.{name}", lambda *a, **k: None)
    monkeypatch.setenv("SEI_STORE", str(home / "store"))
    monkeypatch.setattr(dialect, "_KNOWN", {})
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


@pytest.mark.parametrize("mode", ENDS)
def test_every_way_of_answering_has_its_end(odd, home, monkeypatch, capfd, quiet_process, mode):
    run = home / mode
    monkeypatch.setattr(sys, "argv", ["sei", *overrides(odd, mode), f"hydra.run.dir={run}"])
    code = 0
    try:
        main()
    except SystemExit as e:
        code = int(e.code or 0)
    judge(run, code, capfd.readouterr().err, mode)


def test_the_table_names_every_way_of_the_server():
    served = set(re.findall(r"if mode=='(\w+)'", (CASES / "odd_server.py").read_text(encoding="utf-8")))
    assert served == set(ENDS)
    page = (ROOT / "docs" / "instructors.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"`(\w+)`", "\n".join(x for x in page.splitlines() if x.startswith("| `"))))
    assert served <= shown


def as_command(odd: str, place: Path, store: Path, mode: str) -> None:
    """Run a mode as a user does. The store only has its attempts, since the instructor has another address."""
    sei = Sei(place, store)
    done = sei(*overrides(odd.replace("127.0.0.1", "localhost"), mode))
    judge(sei.last_run(), done.returncode, done.stderr, mode)


@pytest.mark.parametrize("mode", [AS_COMMANDS[0], *(pytest.param(m, marks=pytest.mark.slow) for m in AS_COMMANDS[1:])])
def test_a_command_ends_the_same_way(odd, home, tmp_path, mode):
    as_command(odd, tmp_path, home / "store", mode)


@pytest.mark.slow
@pytest.mark.parametrize("mode", sorted(set(ENDS) - set(AS_COMMANDS)))
def test_every_command_ends_the_same_way(odd, home, tmp_path, mode):
    as_command(odd, tmp_path, home / "store", mode)
