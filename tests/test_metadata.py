"""Licence, citation and package metadata say the same."""

from __future__ import annotations

import re
import tomllib

import yaml

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_citation_is_of_this_package():
    assert (CITATION["version"], CITATION["license"]) == (PROJECT["version"], PROJECT["license"])
    assert CITATION["authors"] == PROJECT["authors"] == [{"name": "the sei contributors"}]


def test_the_citation_has_the_paper_as_the_readme_names_it():
    (paper,) = CITATION["references"]
    (number,) = [i["value"].removeprefix("arXiv:") for i in paper["identifiers"]]
    assert f"arxiv.org/abs/{number}" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert paper["title"].startswith("Self-Error-Instruct")


def test_the_licence_is_the_one_that_the_package_names():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert re.match(r"\s+Apache License\s+Version 2\.0", text)
    assert "Copyright 2026 the sei contributors" in text
    assert PROJECT["license-files"] == ["LICENSE"]
