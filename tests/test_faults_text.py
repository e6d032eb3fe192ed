"""F17: text of models, servers and data sets is shown, drawn and written as text, and never executed."""

from __future__ import annotations

import csv
import json
import logging.config
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from sei import exits, progress
from sei.errors import ConfigError
from sei.printable import printable
from sei.records import (
    CurvePoint,
    ErrorMap,
    MapPoint,
    Score,
)
from sei.report import console, interactive, plots
from sei.report.flow import places
from sei.track.local import LocalTracker
from tests.builders import case, error_type, problem
from tests.conftest import ROOT
from tests.report.run_folders import small_record as record

ESC = "\x1b[31m\x1b]0;title\x07\x9b5m"
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
NASTY = (
    SCRIPT,
    f"{ESC}red",
    "=cmd|' /C calc'!A0",
    "$",
    r"$\frac{",
    r"$\frac{$ and $\nosuch$",
    r"\$5 and $x^$",
    "_hidden",
    "nul\0in it",
    "𝔘𝕟𝕚 🙂 你好 \u202egnol",
    "half \ud800 pair",
    "[red]x[/blue]",
    "%{x} <b>",
    "line\nfeed\tand more",
)


def error_map(names: tuple[str, ...], text: str = "x") -> ErrorMap:
    types, points = [], []
    for i, name in enumerate(names):
        types.append(error_type(name, [case(problem(str(i), f"Q {text}"), f"O {text}")]))
        points.append(MapPoint(problem_id=str(i), phrase=name, error_type=name, x=float(i), y=1.0))
    return ErrorMap(types=tuple(types), points=tuple(points), curve=(CurvePoint(num_types=2, score=0.5),))


def score(correct: int = 1) -> Score:
    share = correct / 2
    shares = {"accuracy": share, "accuracy_strict": share, "macro": None, "ci95": (share / 2, 1.0)}
    return Score(role="in_domain", n=2, correct=correct, unreadable=0, grader_errors=0, **shares)


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.long
def test_pictures_are_drawn_whatever_a_type_is_called(tmp_path, name):
    """F17."""
    plots.cluster_map(error_map((name, f"{name} (2)")), tmp_path / "map.png")
    rounds = [record(1, {name: [0, 1, 2], "b": [3]}), record(2, {name: [0, 1]})]
    plots.type_flow([places(r) for r in rounds], tmp_path / "flow.png")
    plots.score_curve([("base", {name: score()}), ("round 1", {name: score()})], tmp_path / "scores.png")
    assert all((tmp_path / f"{p}.png").stat().st_size > 1000 for p in ("map", "flow", "scores"))


def test_a_name_is_drawn_as_it_stands():
    assert plots.shown(r"$\frac{a}{b}$") == r"\$\frac{a}{b}\$"
    assert plots.shown("_x") == " _x"
    assert plots.shown("a\0b") == r"a\x00b"


@pytest.mark.parametrize("text", NASTY)
def test_the_cluster_map_holds_no_script(text):
    """F17."""
    figure = interactive.cluster_map(error_map((text, "other"), text))
    for page in (figure.to_html(include_plotlyjs=False), json.dumps(json.loads(figure.to_json()), ensure_ascii=False)):
        shown = page.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        assert "<script>alert" not in shown
        assert "<img" not in shown
        assert "\x1b" not in shown
    named = [t.name for t in figure.data]
    hovers = [h for t in figure.data for h in t.text]
    tags = ("<b>", "</b>", "<i>", "</i>", "<br>")
    for shown in (*named, *hovers):
        for tag in tags if shown in hovers else ():
            shown = shown.replace(tag, "")
        assert "<" not in shown
        assert shown.isprintable()


def test_a_long_text_is_cut_without_breaking_its_markup():
    (trace,) = interactive.cluster_map(error_map(("<" * 500,), "&" * 500)).data
    assert trace.text[0].count("<b>") == trace.text[0].count("</b>") == 1
    assert trace.text[0].count("<i>") == trace.text[0].count("</i>") == 1


def test_what_does_not_print_is_written_out():
    assert printable(ESC) == r"\x1b[31m\x1b]0;title\x07\x9b5m"
    assert printable("a\u202eb\u2028\ud800\r\n\t") == r"a\u202eb\u2028\ud800\r\n\t"
    assert printable("a\nb\x1b", keep="\n") == "a\nb" + r"\x1b"
    assert printable("Grüße 你好 🙂 \xa0 𝔘") == "Grüße 你好 🙂 \xa0 𝔘"


def test_the_last_table_shows_markup_and_controls_as_text(capsys):
    stages = [(f"{ESC}base", {"[red]s[/blue]": score(0)}), ("[bold]1", {"[red]s[/blue]": score(1)})]
    console.show(stages, console.Ending(best=1, stopped="rounds"), Path(f"/tmp/[red]here[/nowhere]{ESC}"), 1, 2)
    out = capsys.readouterr().out
    assert "[red]s[/blue]" in out
    assert "[bold]1" in out
    assert "/tmp/[red]here[/nowhere]" in out
    assert "\x1b" not in out
    assert r"\x1b" in out


def test_a_bar_shows_its_text_as_it_stands(monkeypatch):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    with progress.progress(f"[/nothing]{ESC}", 2) as advance:
        advance(1)


def formatter() -> logging.Formatter:
    """Return the formatter of a run's log, as the config sets it instead of Hydra's."""
    ours = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / "config.yaml").hydra.job_logging)
    simple = {"format": "[%(levelname)s] - %(message)s", **ours["formatters"]["simple"]}
    return logging.config.DictConfigurator({"version": 1}).configure_formatter(simple)


def test_a_log_line_is_one_line_without_control_characters():
    """F17."""
    text = f"{ESC}\n[INFO] - all is well"
    made = logging.LogRecord("sei", logging.WARNING, "f", 1, "the server says %s", (text,), None)
    line = formatter().format(made)
    assert line == "[WARNING] - the server says " + printable(text)
    assert "\n" not in line
    assert made.args == (text,)


def test_a_traceback_keeps_lines_and_loses_control_characters():
    try:
        raise ValueError(ESC)
    except ValueError as e:
        made = logging.LogRecord("sei", logging.ERROR, "f", 1, "unexpected", (), (type(e), e, e.__traceback__))
    shown = formatter().format(made)
    assert shown.count("\n") >= 3
    assert "\x1b" not in shown
    assert r"\x1b[31m" in shown


def test_the_message_that_ends_a_run_has_no_control_characters(capsys):
    assert exits.tell(ConfigError(f"model said {ESC}")) == 2
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert r"\x1b[31m" in said


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_spreadsheet_takes_names_for_text(tmp_path, start):
    """F17."""
    tracker = LocalTracker().start("n", {}, tmp_path, group="", run_id="r")
    tracker.baseline({f"{start}cmd|' /C calc'!A0": score(), "plain": score()})
    with (tmp_path / "metrics.csv").open(newline="", encoding="utf-8") as f:
        rows = list(csv.reader(f))
    assert rows[1][1] == f"'{start}cmd|' /C calc'!A0"
    assert rows[2][1] == "plain"
    assert not any(cell[:1] in ("=", "+", "@", "\t", "\r") for row in rows for cell in row)
