"""A whole run with a remote instructor, hostile keyphrases and keys in the environment (F17, F35, F36)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Sei
from tests.instructors.remote.fault_server import FaultServer
from tests.instructors.remote.teacher import Teacher
from tests.trees import hits, tree

HOSTILE = (
    "../../etc/passwd and its like",
    "<script>alert(1)</script> in a step",
    "=cmd|' /C calc'!A0 for a sum",
    r"_$\frac{ half of the $ sum",
    "[/red] adds [bold]twice 𝔘",
)
SECRETS = {
    "TEACHER_KEY": "sk-teacher-0123456789abcdef",
    "OPENAI_API_KEY": "sk-other-fedcba9876543210",
    "WANDB_API_KEY": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c",
    "HF_TOKEN": "hf_abcdefghijklmnopqrstuvwxyz012345",
}
SMALL = (
    *("experiment=smoke", "tracker=wandb_offline", "data.pool=60", "data.dev=20", "data.test=20"),
    *("budget.candidates=15", "budget.per_request=5", "finetuner.schedule.steps=4"),
)


class Done:
    """One run: its folder, its output, the requests at the server, and the files before it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "up" / "here").mkdir(parents=True)
        self.before = tree(home)
        server = FaultServer(Teacher(HOSTILE))
        self.sei = Sei(home / "up" / "here", home / "up" / "store")
        try:
            self.done = self.sei(
                *(*SMALL, "instructor=openai_compatible", f"instructor.base_url={server.url}"),
                *("instructor.api_key_env=TEACHER_KEY", "instructor.give_up=20"),
                **SECRETS,
            )
        finally:
            server.close()
        self.log = server.log
        assert self.done.returncode == 0, self.done.stderr[-3000:]
        self.run = self.sei.last_run()


@pytest.fixture(scope="module")
def taught(tmp_path_factory) -> Done:
    return Done(tmp_path_factory.mktemp("taught"))


def test_a_remote_instructor_teaches_through_the_command_line(taught):
    summary = json.loads((taught.run / "summary.json").read_text())
    (one,) = summary["rounds"]
    assert one["synthesized"] > 0
    assert one["trained_steps"] == 4
    assert summary["instructor"]["requests"] == len(taught.log)
    assert {t["name"].split(" (")[0] for t in one["error_types"]} <= set(HOSTILE)
    assert {seen.key for seen in taught.log} == {f"Bearer {SECRETS['TEACHER_KEY']}"}


def test_no_key_stands_in_anything_that_a_run_wrote_or_printed(taught):
    """F35."""
    written = [p for p in taught.home.rglob("*") if p.is_file()]
    names = {p.name for p in written}
    assert {"answers.sqlite", "sei.log", "config.yaml", "overrides.yaml", "result.jsonl", "summary.json"} <= names
    assert any(p.suffix == ".wandb" for p in written)
    assert hits(taught.home, ["127.0.0.1", "adds [bold]twice"]), "what is no secret is found"
    assert hits(taught.home, list(SECRETS.values())) == []
    assert not any(s in taught.done.stdout + taught.done.stderr for s in SECRETS.values())


def test_names_of_error_types_lead_nowhere(taught):
    """F36."""
    new = tree(taught.home) - taught.before
    allowed = (Path("up/here/outputs"), Path("up/store"))
    assert [p for p in new if not any(p == a or a in p.parents for a in allowed)] == []
    assert (taught.run / "round_1" / "cluster_map.png").stat().st_size > 0


def test_no_page_that_a_run_wrote_runs_a_script_of_a_text(taught):
    """F17."""
    pages = [p for p in taught.run.rglob("*") if p.suffix in (".html", ".htm", ".svg")]
    assert [p for p in pages if "<script>alert" in p.read_text()] == []
    (chart,) = taught.run.glob("wandb/**/*.plotly.json")
    named = [t["name"] for t in json.loads(chart.read_text())["data"]]
    assert any("&lt;script&gt;" in n for n in named)
    assert not any("<script" in n for n in named)
