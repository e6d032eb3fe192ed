"""Files and figures of the tables command, and broken run folders."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess

import pytest

from sei.compare import build, figures, render
from sei.compare.__main__ import main
from sei.compare.runs import Run, collect
from tests.compare.made_up_runs import BEST, NO_REFINEMENT, full_and_ablated, read, write

# --- files ---


def structure(tex):
    """Check braces, environments and columns of a LaTeX text, without comments and escaped characters."""
    assert all(ord(c) < 128 for c in tex)
    bare = re.sub(r"(?m)^%.*$|%$", "", tex).replace("$-$", "")
    bare = re.sub(r"\\[\\{}$&#_%]", lambda m: r"\\" if m[0] == r"\\" else "", bare)
    depth = 0
    for c in bare:
        depth += {"{": 1, "}": -1}.get(c, 0)
        assert depth >= 0
    assert depth == 0
    assert not re.search(r"[$#_%~^]", bare)
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", bare):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    columns = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", bare)
    for spec, body in zip(columns, re.findall(r"\\toprule(.*?)\\bottomrule", bare, re.S), strict=True):
        for row in body.replace("\\midrule", "").split("\\\\")[:-1]:
            assert row.count("&") == len(spec) - 1


@pytest.fixture
def tricky(tmp_path):
    """Two methods with names full of characters that are special in markup and spreadsheets."""
    for i, part in enumerate(('{50% & #1_$x^2~\\frac|<b>"', "@cmd")):
        for seed in (1, 2):
            write(tmp_path / "in" / f"{i}{seed}", seed=seed, rounds=(0.6 + i / 10 + seed / 50,), budget_scale=i + 1,
                  candidates=400 + 400 * i, clusterer={"_target_": f"mine.{part}"})  # fmt: skip
        write(
            tmp_path / "in" / f"{i}-more", seed=1, candidates=9, budget_scale=9, clusterer={"_target_": f"mine.{part}"}
        )
    return tmp_path / "in"


def test_latex_is_well_formed_whatever_the_names(tricky):
    found = read(tricky)
    for result in (
        build.main_table(found, BEST),
        build.ablation_tables(found, BEST),
        build.rounds_tables(found),
        build.budget_table(found, BEST),
    ):
        tex = render.latex(result)
        structure(tex)
        assert not re.search(r"[^$]-\d\d", tex.replace("-1}", ""))  # a minus, not a hyphen
        assert r"\toprule" in tex


@pytest.mark.extra
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
@pytest.mark.parametrize("table", ["main", "ablation", "rounds", "budget"])
def test_latex_compiles(tricky, tmp_path, table):
    found = read(tricky)
    tables = {
        "main": lambda: build.main_table(found, BEST),
        "ablation": lambda: build.ablation_tables(found, BEST),
        "rounds": lambda: build.rounds_tables(found),
        "budget": lambda: build.budget_table(found, BEST),
    }
    tex = render.latex(tables[table]())
    packages = r"\usepackage[T1]{fontenc}\usepackage{booktabs}\usepackage{graphicx}"
    (tmp_path / "t.tex").write_text(rf"\documentclass{{article}}{packages}\begin{{document}}{tex}\end{{document}}")
    done = subprocess.run(["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd", "@SUM(A1)", " =1"])
def test_csv_runs_nothing(text):
    row = next(csv.DictReader(io.StringIO(render.csv_text([{"method": text, "delta": -0.25}]))))
    assert row == {"method": f"'{text}", "delta": "-0.25"}


def test_csv_holds_no_control_characters():
    assert render.csv_text([{"a": "\t=1\r=2\n=3"}]) == "a\n\\t=1\\r=2\\n=3\n"


def test_csv_holds_numbers_and_leaves_unknown_ones_empty():
    text = render.csv_text([{"a": 1 / 3, "n": 7, "b": None, "c": 'x,"y"'}])
    assert text == 'a,n,b,c\n0.333333,7,,"x,""y"""\n'


def test_markdown_keeps_its_columns(tricky):
    for line in render.markdown(build.main_table(read(tricky), BEST).tables[0]).splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 7
            assert "<b>" not in line


@pytest.mark.long
def test_command_writes_everything(tricky, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([str(tricky), "--out", str(out)]) == 0
    kinds = ("main", "ablation", "rounds", "budget")
    wanted = {f"{k}.{e}" for k in kinds for e in ("md", "tex", "csv")}
    wanted |= {f"{k}.{e}" for k in kinds[1:] for e in ("pdf", "png")}
    assert {p.name for p in out.iterdir()} == wanted
    assert (out / "rounds.pdf").read_bytes().startswith(b"%PDF")
    assert (out / "ablation.png").read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr().out
    assert "### Main table" in shown
    assert (out / "main.md").read_text().splitlines()[2] in shown


@pytest.mark.slow
@pytest.mark.long
def test_figures_are_the_same_every_time(tricky, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        figures.draw(read(tricky), BEST, tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.long
def test_figures_of_a_single_run(tmp_path):
    write(tmp_path / "in" / "0")
    made = figures.draw(read(tmp_path / "in"), BEST, tmp_path)
    assert [p.name for p in made] == ["rounds.pdf", "rounds.png"]


@pytest.mark.long
def test_several_models_get_figures_of_their_own(tmp_path):
    write(tmp_path / "in" / "0")
    write(tmp_path / "in" / "1", model={"name": "large"})
    made = figures.draw(read(tmp_path / "in"), BEST, tmp_path)
    assert [p.name for p in made if p.suffix == ".png"] == ["rounds_1.png", "rounds_2.png"]


# --- broken folders ---


def broken(change):
    def spoil(home):
        path = home / "summary.json"
        summary = json.loads(path.read_text())
        change(summary)
        path.write_text(json.dumps(summary))

    return spoil


SPOILED = {
    "unlink": (lambda h: (h / "summary.json").unlink(), "not finished"),
    "cut": (lambda h: (h / "summary.json").write_text('{"seed": 1, '), "broken"),
    "empty": (lambda h: (h / "summary.json").write_text(""), "broken"),
    "list": (lambda h: (h / "summary.json").write_text("[]"), "broken"),
    "bytes": (lambda h: (h / "summary.json").write_bytes(b"\xff\xfe"), "cannot be read"),
    "seed": (broken(lambda s: s.pop("seed")), "seed: Field required"),
    "nan": (broken(lambda s: s["baseline"]["near"].update(accuracy=float("nan"))), "baseline.near.accuracy"),
    "above": (broken(lambda s: s["rounds"][0]["scores"]["far"].update(accuracy=70)), "rounds.0.scores.far.accuracy"),
    "best": (broken(lambda s: s.update(best_round=9)), "best_round 9 is not a round"),
    "config": (lambda h: (h / ".hydra" / "config.yaml").unlink(), "config.yaml cannot be read"),
    "yaml": (lambda h: (h / ".hydra" / "config.yaml").write_text("a: [1"), "config.yaml cannot be read"),
    "text": (lambda h: (h / ".hydra" / "config.yaml").write_text("text"), "not a mapping"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_broken_run_is_listed_and_the_others_are_used(tmp_path, capsys, how):
    spoil, reason = SPOILED[how]
    write(tmp_path / "good")
    spoil(write(tmp_path / "bad", **NO_REFINEMENT))
    assert main([str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert re.search(rf"Left out: .*bad: .*{re.escape(reason)}", shown)
    assert "1 runs" in shown


def test_jobs_that_never_began_and_many_folders_are_listed(tmp_path, capsys):
    write(tmp_path / "s" / "0")
    states = {"0": "done", "1": "running", "2": "waiting"}
    jobs = {n: {"folder": f"elsewhere/s/{n}", "state": state} for n, state in states.items()}
    (tmp_path / "s" / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    for i in range(5):
        (write(tmp_path / f"u{i}") / "summary.json").unlink()
    assert main([str(tmp_path)]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Left out")]
    assert len(said) == 3
    assert re.fullmatch(r"Left out: 5 folders: no summary.json: .*u0, .*u2 and 2 more\.", said[0])
    assert said[1:] == [
        f"Left out: {tmp_path / 's' / n}: job {n} of its sweep is {states[n]} and has no result." for n in ("1", "2")
    ]


@pytest.mark.parametrize("folder", ["nothing", "missing", "unfinished"])
def test_nothing_to_show_is_exit_2(tmp_path, capsys, folder):
    (tmp_path / "nothing").mkdir()
    (write(tmp_path / "unfinished" / "0") / "summary.json").unlink()
    assert main([str(tmp_path / folder)]) == 2
    said = capsys.readouterr().err
    assert {"missing": "no such folder"}.get(folder, "no finished run") in said
    assert ("not finished" in said) == (folder == "unfinished")


def test_base_arm(tmp_path, capsys):
    full_and_ablated(tmp_path)
    assert main([str(tmp_path), "--base-arm", "no refinement"]) == 0
    assert "against no refinement" in capsys.readouterr().out
    assert main([str(tmp_path), "--base-arm", "nobody"]) == 2
    assert "the methods are: Self-Error-Instruct; no refinement" in capsys.readouterr().err
    assert main([str(tmp_path), "--base-arm", "e"]) == 2
    assert "may be any of" in capsys.readouterr().err


def test_out_that_cannot_be_written_is_exit_2(tmp_path, capsys):
    write(tmp_path / "0")
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "0"), "--out", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_folders_that_overlap_count_once_and_commits_are_told(tmp_path, capsys):
    write(tmp_path / "0", seed=1)
    home = write(tmp_path / "1", seed=2)
    text = (home / "summary.json").read_text()
    (home / "summary.json").write_text(text.replace('"abc"', f'"{"d" * 40}+dirty"'))
    assert main([str(tmp_path), str(tmp_path / "0")]) == 0
    shown = capsys.readouterr().out
    assert "2 runs" in shown
    assert f"2 commits: abc, {'d' * 12}+dirty." in shown


def test_a_name_steers_no_terminal(tmp_path, capsys):
    write(tmp_path / "0", model={"name": "red\x1b[31m"})
    assert main([str(tmp_path)]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_run_reads_what_sei_writes(tmp_path):
    run = collect([write(tmp_path / "0")])[0][0]
    assert isinstance(run, Run)
    assert (run.seed, run.best, run.last) == (1, 2, 2)
