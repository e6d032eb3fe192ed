"""docs/extending: every example runs as it stands on its page, and every signature is that of the source."""

from __future__ import annotations

import ast
import importlib
import json
import os
import random
import re
import shutil
import sys
from collections import Counter

import pytest

import sei
from sei.__main__ import CONF
from sei.errors import ConfigError
from sei.models.places import folder_of
from sei.outlook import Outlook
from sei.records import BadCase, PoolProblem
from sei.stages.synthesize import Budget
from tests import pages
from tests.compose import built
from tests.conftest import ROOT
from tests.instructors.remote.fault_server import FaultServer
from tests.instructors.remote.teacher import Teacher

INDEX = ROOT / "docs" / "extending.md"
PAGES = {"extending": INDEX, **{p.stem: p for p in sorted((ROOT / "docs" / "extending").glob("*.md"))}}
TEXT = {name: path.read_text(encoding="utf-8") for name, path in PAGES.items()}
OWN_SETS = ("data.pool", "data.dev", "data.test")  # settings that a data set of a page does not have

pytestmark = [
    pytest.mark.usefixtures("quick"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder into which all pages were pasted, with a store for all of them."""
    folder = tmp_path_factory.mktemp("pasted")
    for text in TEXT.values():
        pages.paste(text, folder)
    shutil.copytree(folder_of("packaged:tiny_l"), folder / "my_model")
    known = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        pages.hasten(folder, patch)
        yield folder
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture(scope="module")
def teacher():
    made = FaultServer(Teacher())
    yield made
    made.close()


@pytest.fixture
def run(home, monkeypatch):
    """Return a function that runs a page's command number ``at``, smaller than a reader would."""

    def made(page: str, at: int = 0, *more: str, without: tuple[str, ...] = ()) -> sei.Run:
        command = pages.commands(TEXT[page])[at]
        for name, value in command.environment.items():
            monkeypatch.setenv(name, os.environ.get(name, value))
        said = {a.partition("=")[0] for a in (*command.arguments, *more)} | set(without)
        small = [s for s in pages.SMALL if s.partition("=")[0] not in said]
        return sei.run([*command.arguments, *small, *more], config_dir=command.config_dir, quiet=True)

    return made


def made_in(run: sei.Run) -> set[str]:
    """Return the stages of which a run made anything."""
    stages = json.loads((run.folder / "ledger.json").read_text())["stages"]
    return {name for name, counts in stages.items() if counts["made"]}


def test_the_first_example_of_all_makes_two_types(run):
    (one,) = run("extending").rounds
    assert len(one.error_types) == 2
    assert abs(one.error_types[0].size - one.error_types[1].size) <= 1


def test_a_clusterer_names_its_types(run):
    (one,) = run("clusterer").rounds
    words = [k.phrase.split()[0].casefold() for k in one.keyphrases]
    wanted = {f"begins with {w}": n for w, n in Counter(words).items() if n >= 2}
    assert {t.name: t.size for t in one.error_types} == wanted


def test_an_embedder_takes_the_place_of_the_built_in_one(run):
    (one,) = run("clusterer", 1, "clusterer=none", "decontaminate.embedding=1").rounds
    assert one.synthetic


def test_a_refiner_keeps_what_it_scores_best(run):
    (one,) = run("refiner").rounds
    assert 0 < len(one.refined) < len(one.synthetic)
    assert {s.score for s in one.scored} == {-float(len(s.example.solution)) for s in one.scored}


def test_a_refiner_sees_validation_cases_and_its_journal(run, home):
    (one,) = run("refiner", 1).rounds
    assert all(0 <= s.score <= 1 for s in one.scored)
    assert len({s.score for s in one.scored}) > 1
    kept = [p.read_text() for p in (home / "store" / "refine").glob("*/files/values.jsonl")]
    assert any(one.scored[0].example.id in text for text in kept)


def test_a_synthesizer_asks_by_the_instructors_task(run):
    (one,) = run("synthesizer").rounds
    assert {x.error_type for x in one.synthetic} == {"mixed"}


def test_a_synthesizer_asks_a_language_model_in_its_own_words(run, teacher, monkeypatch):
    monkeypatch.setenv("SEI_INSTRUCTOR_URL", teacher.url)
    (one,) = run("synthesizer", 1).rounds
    asked = [s.body["messages"][0]["content"] for s in teacher.log]
    own = [text for text in asked if "Write 2 new problems that differ" in text]
    assert len(own) == len(set(own)) == 8, "a request for each of as many bad cases as the budget has candidates"
    assert 0 < len(one.synthetic) <= 8


def test_a_synthesizer_with_requests_of_its_own_is_estimated(home):
    twists = importlib.import_module("twists").Twists
    made = twists(instructor=built("instructor=openai_compatible")["method"].diagnose.instructor, budget=Budget())
    case = BadCase(
        problem=PoolProblem(id="a", question="What is 2+3?", answer="5", solution="2+3=5"), output="6", extracted="6"
    )
    known = {"pool": 40, "bad": 20.0, "exemplars": 14.0, "phrase": "slip", "distinct": 1.0, "error_types": 3.0}
    shares = {"keep": 0.5, "keep_observed": False, "written": 1.0}
    found = made.estimate(Outlook(cases=(case,), rng=random.Random(0), **known, **shares))
    (asks,) = found.asks
    assert (asks.requests, asks.items, found.candidates) == (14.0, 2, 14.0)
    assert asks.chars > 400


def test_an_instructor_is_a_file_of_settings(run, teacher):
    (one,) = run("instructor", 0, f"instructor.base_url={teacher.url}", "instructor.agreement=false").rounds
    assert {k.phrase for k in one.keyphrases} <= set(teacher.reply.phrases)


def test_an_instructor_of_rules_diagnoses_and_writes(run):
    (one,) = run("instructor", 1).rounds
    assert {k.phrase for k in one.keyphrases} == {"takes a wrong step", "never adds"}
    assert all(x.question.endswith("have?") for x in one.synthetic)


def test_a_second_opinion_is_a_file_or_a_class(run):
    for at in (0, 1):
        found = run("second_opinion", at)
        said = found.summary["rounds"][0]["second_opinion"]
        assert 0 < said["n"] <= 20
        assert (found.folder / "round_1" / "second_opinion.jsonl").exists()
        assert made_in(found) <= {"secondopinion", "samewords"} or at == 0


def test_a_grader_grades(run):
    found = run("grader", 0, "rounds=0")
    assert made_in(found) >= {"goldcheck", "grade"}
    assert 0 < found.baseline["arithmetic_test"].accuracy < 1


def test_a_data_set_is_cut_into_pool_and_dev(run):
    found = run("data", without=OWN_SETS)
    assert {name: s.n for name, s in found.baseline.items()} == {"commute_dev": 10, "commute_test": 20}
    (one,) = found.rounds
    assert len(one.attempts) == 30
    assert one.synthetic


def test_a_data_source_gives_its_own_sets(run):
    found = run("data", 1, without=OWN_SETS)
    assert {name: s.n for name, s in found.baseline.items()} == {"legs_dev": 5, "legs_test": 5}


def test_a_benchmark_set_is_scored_beside_the_others(run):
    scores = run("benchmarks").baseline
    assert (scores["large_sums"].role, scores["large_sums"].n) == ("out_of_domain", 20)


def test_an_engine_answers_as_the_shipped_one_does(run):
    found, usual = run("engine", 0, "rounds=0"), run("grader", 0, "rounds=0", "grader=math")
    assert "attempts" in made_in(found)
    assert {k: s.correct for k, s in found.baseline.items()} == {k: s.correct for k, s in usual.baseline.items()}


def test_a_model_is_a_file_of_settings(run):
    found = run("model", 0, "rounds=0")
    assert found.config["model"]["name"] == "mine"
    assert "attempts" in made_in(found)


def test_a_finetuner_trains(run):
    (one,) = run("finetuner", 0, "clusterer=none").summary["rounds"]
    assert one["trained_steps"] == 2
    assert one["trained_tokens"] > 0


def test_a_trainer_is_a_file_of_settings(run):
    found = run("trainer", 0, "rounds=0")
    assert found.config["trainer"]["threads"] == 2
    assert "attempts" in made_in(found)


def test_a_tracker_is_told_of_base_and_rounds(run):
    found = run("tracker", 0, "clusterer=none")
    rows = [json.loads(line) for line in (found.folder / "scores.jsonl").read_text().splitlines()]
    assert [(r["round"], r["set"]) for r in rows] == [(n, s) for n in (0, 1) for s in found.baseline]


def test_an_experiment_and_an_ablation_choose_parts(run):
    found = [run("experiment", at, "rounds=0", without=("refiner", "budget.candidates")).config for at in (0, 1)]
    assert [c["refiner"]["_target_"] for c in found] == ["shortest.Shortest", "sei.refiners.none.NoRefinement"]
    assert [c["budget"]["candidates"] for c in found] == [30, 30]
    with pytest.raises(ConfigError, match="contradicts ablation=long_too"):
        run("experiment", 1, "rounds=0", "refiner=shortest")


def test_hooks_are_called_and_what_is_read_is_in_the_key(run, home):
    assert "refine" in made_in(run("hooks", 0, "clusterer=none"))
    assert "refine" not in made_in(run("hooks", 0, "clusterer=none"))
    (home / "words.txt").write_text("Anna Ben Carla")
    assert "refine" in made_in(run("hooks", 0, "clusterer=none"))
    (home / "words.txt").unlink()
    with pytest.raises(ConfigError, match=r"refiner\.words=\./words\.txt: no such file"):
        run("hooks", 0, "clusterer=none")


def test_every_config_group_has_a_page_with_all_it_promises():
    groups = {p.name for p in CONF.iterdir() if p.is_dir()} - {"hydra"}
    named = {"ablation": "experiment"}
    assert {named.get(g, g) for g in groups} <= set(PAGES), "write docs/extending/<group>.md"
    for group in groups:
        assert f"`{group}`" in TEXT["extending"]
        text = TEXT[named.get(group, group)]
        for head in ("smallest example", "What is checked", "cached", "Pitfalls", "In the project itself"):
            assert head in text, f"{group}: {head}"
        assert pages.commands(text), f"{group}: no command"


def test_the_index_leads_to_every_page():
    assert set(re.findall(r"\(extending/(\w+)\.md\)", TEXT["extending"])) == set(PAGES) - {"extending"}


SHOWN = [
    (page, body) for page, text in TEXT.items() for _, body in pages.blocks(text) if body.startswith("# from sei/")
]


def in_source(path: str, name: str) -> ast.ClassDef:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    (found,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name]
    return found


def fields(cls: ast.ClassDef) -> list[str]:
    """Return the annotated fields of a class, less class variables and settings that are in no key."""
    told = [ast.unparse(n) for n in cls.body if isinstance(n, ast.AnnAssign)]
    return [t for t in told if "ClassVar" not in t and "IMMATERIAL" not in t]


def methods(cls: ast.ClassDef) -> list[str]:
    """Return the public methods of a class, with decorators, parameters and result, without what they do."""
    out = []
    for n in cls.body:
        if isinstance(n, ast.FunctionDef) and (not n.name.startswith("_") or n.name == "__call__"):
            decorators = [ast.unparse(d) for d in n.decorator_list]
            out.append(f"{decorators} {n.name}({ast.unparse(n.args)}) -> {ast.unparse(n.returns) if n.returns else ''}")
    return out


@pytest.mark.parametrize(("page", "body"), SHOWN, ids=[f"{p}-{b.splitlines()[0].split('/')[-1]}" for p, b in SHOWN])
def test_a_signature_on_a_page_is_that_of_the_source(page, body):
    path = body.splitlines()[0].removeprefix("# from ")
    shown = [n for n in ast.parse(body).body if isinstance(n, ast.ClassDef)]
    assert shown
    for cls in shown:
        source = in_source(path, cls.name)
        assert fields(cls) == fields(source)
        if methods(cls) or not fields(cls):
            assert methods(cls) == methods(source)


def test_what_pages_name_is_there():
    """Paths in backticks exist, or are files that a page tells the reader to make."""
    assert len(SHOWN) > 20
    own = {name for text in TEXT.values() for name in pages.files(text)}
    missing = []
    for page, text in TEXT.items():
        for path in re.findall(r"`((?:sei|tests|conf|docs|experiments)/[\w./]+)`", text):
            if not (ROOT / path).exists() and path not in own:
                missing.append((page, path))
        for link in re.findall(r"\]\(([\w./]+\.md)\)", text):
            if not (PAGES[page].parent / link).resolve().exists():
                missing.append((page, link))
    assert missing == []


def test_examples_are_no_longer_than_they_must_be():
    lines = {name: body.count("\n") for text in TEXT.values() for name, body in pages.files(text).items()}
    assert {n: k for n, k in lines.items() if k > 90} == {}
    assert all(len(line) <= 120 for text in TEXT.values() for line in text.splitlines())


def test_a_plugin_need_not_say_its_version():
    class Named:
        pass

    from sei.parts import part
    from sei.store.identity import canonical

    assert canonical(part(Named)())["version"] == 1
