"""Links and lists of pages that are read in the repository and on the site."""

from __future__ import annotations

import pytest

from links import for_site
from lists import reindented


@pytest.fixture
def root(tmp_path):
    for place in (
        *("docs/data.md", "docs/notebook.ipynb", "README.md", "LOG.md", "sei/loop.py", "experiments/README.md"),
        *(
            "experiments/words/README.md",
            "conf/config.yaml",
            "conf/refiner/paper.yaml",
            "conf/benchmarks/set/aqua.yaml",
        ),
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    return tmp_path


PAGES = {"LOG.md": "", "experiments/README.md": "", "experiments/words/README.md": ""}


@pytest.mark.parametrize(
    ("here", "link", "there"),
    [
        ("docs/start.md", "[a](data.md#columns)", "[a](data.md#columns)"),
        ("docs/start.md", "[a](notebook.ipynb)", "[a](notebook.ipynb)"),
        ("docs/start.md", "[a](../README.md)", "[a](index.md)"),
        ("docs/start.md", "[a](../LOG.md#x)", "[a](LOG.md#x)"),
        ("docs/start.md", "[a](../experiments/words/)", "[a](experiments/words/README.md)"),
        ("docs/extending/data.md", "[a](../data.md)", "[a](../data.md)"),
        ("docs/extending/data.md", "[a](../../LOG.md)", "[a](../LOG.md)"),
        ("docs/start.md", "[a](../conf/config.yaml)", "[a](configuration/config.md)"),
        ("docs/start.md", "[a](../conf/)", "[a](configuration.md)"),
        ("docs/start.md", "[a](../conf/refiner/)", "[a](configuration/refiner.md)"),
        ("docs/start.md", "[`a`](../conf/refiner/paper.yaml)", "[`a`](configuration/refiner.md#paper)"),
        ("docs/start.md", "[a](../conf/benchmarks/set/aqua.yaml)", "[a](configuration/benchmarks_set.md#aqua)"),
        ("experiments/words/README.md", "[a](../../docs/data.md)", "[a](../../data.md)"),
        ("experiments/README.md", "[a](words/README.md) [b](#c)", "[a](words/README.md) [b](#c)"),
        ("experiments/README.md", "[1]: words/README.md", "[1]: words/README.md"),
        ("LOG.md", "[1]: docs/data.md#x", "[1]: data.md#x"),
        ("docs/start.md", "[the loop](../sei/loop.py)", "the loop (`sei/loop.py`)"),
        ("docs/start.md", "[`loop.py`](../sei/loop.py)", "`sei/loop.py`"),
        ("docs/start.md", "[a](https://x.org/b.md) [c](mailto:a@x.org)", "[a](https://x.org/b.md) [c](mailto:a@x.org)"),
        ("docs/start.md", "`[a](../LOG.md)`", "`[a](../LOG.md)`"),
        ("docs/start.md", "[a](nowhere.md) [b](../no.py)", "[a](nowhere.md) [b](../no.py)"),
        ("docs/start.md", "```\n[a](../LOG.md)\n```", "```\n[a](../LOG.md)\n```"),
    ],
)
def test_a_link_leads_to_the_page_of_the_site(root, here, link, there):
    assert for_site(link, here, root, PAGES) == there


def test_lists_of_a_page_are_written_for_the_site(root):
    read = "1. [a](../README.md)\n   ```\n   code\n   ```\n\nb"
    assert for_site(read, "docs/start.md", root, PAGES) == "1. [a](index.md)\n    ```\n    code\n    ```\n\nb"


@pytest.mark.parametrize(
    ("read", "written"),
    [
        ("a\n- b\n- c", "a\n\n- b\n- c"),
        ("- a\n  b\n- c", "- a\n    b\n- c"),
        ("- a\n\n  b\n\nc", "- a\n\n    b\n\nc"),
        ("1. a\n   - b\n     c\n2. d", "1. a\n    - b\n        c\n2. d"),
        ("- a\n\n  ```\n  - b\n  ```\n\nc", "- a\n\n    ```\n    - b\n    ```\n\nc"),
        ("```\n- a\n  b\n```\n- c", "```\n- a\n  b\n```\n\n- c"),
        ("- a\nb\n\nc", "- a\n    b\n\nc"),
        ("a\n\n    - code\n", "a\n\n    - code\n"),
    ],
)
def test_what_belongs_to_an_item_is_indented_by_four(read, written):
    assert "\n".join(reindented(read.split("\n"))) == written
