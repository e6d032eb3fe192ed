"""Which tests are quick (``make quick``): those that start no process, no server and no run, and last about a second.

A test is judged by the names in its code, in its fixtures, and in the helpers of tests/ that these name. The code is
read and not imported, so a module without a quick test costs nothing. A test that is long all the same has the mark
``long``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parent
HEAVY = (
    *("subprocess", "multiprocessing", "os.fork", "http.server", "socketserver", "asyncio.start_server"),
    *("hydra", "sei.__main__", "sei.run", "sei.api.run", "sei.sweep", "sei.loop.run_rounds", "sei.walkthrough"),
    *("pytorch_lightning", "sei.lit.trainer", "sei.engines.openai_server", "sei.engines.server"),
    *("sei.finetuners.supervised", "sei.finetuners.grpo", "wandb", "sei.track.wandb", "experiments"),
    "tests.real_data",
)
"""Modules and functions that start processes, servers, runs or fine-tunes, or read large files."""
MARKS = ("slow", "extra", "long")


@cache
def quick(path: Path) -> frozenset[str]:
    """Return the names of the test functions of a module that are quick."""
    if any(_marks(statement) for statement in _defined(path).get("pytestmark", ())):
        return frozenset()
    tests = {name: found for name, found in _defined(path).items() if name.startswith("test_")}
    light = (name for name, found in tests.items() if not _marks(found[-1]))
    return frozenset(name for name in light if not any(map(_heavy, reached(path, name))))


def _marks(statement: ast.stmt) -> bool:
    """Say whether a decorator, or the value of ``pytestmark``, marks tests that are not quick."""
    is_test = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
    marked = statement.decorator_list if is_test else [statement]
    return any(isinstance(n, ast.Attribute) and n.attr in MARKS for m in marked for n in ast.walk(m))


def _heavy(name: str) -> bool:
    return any(name == heavy or name.startswith(f"{heavy}.") for heavy in HEAVY)


@cache
def reached(path: Path, name: str) -> frozenset[str]:
    """Return the dotted names that a definition of a module uses, itself or by helpers in tests/."""
    seen, found = {(path, name)}, set[str]()
    ahead = [(path, name)]
    while ahead:
        for place, word in _used(*ahead.pop()):
            found.add(f"tests.{place.stem}.{word}" if place else word)
            if place and (place, word) not in seen:
                seen.add((place, word))
                ahead.append((place, word))
    return frozenset(found)


@cache
def _used(path: Path, name: str) -> frozenset[tuple[Path | None, str]]:
    """Return what a definition names: with the module in tests/ that defines it, or ``None`` and its dotted name."""
    found: set[tuple[Path | None, str]] = set()
    for statement in _defined(path).get(name, ()):
        nodes = list(ast.walk(statement))
        imports = _of_module(path) | _imports(nodes)
        for first, rest in {_dotted(node) for node in nodes}:
            place = next((p for p in (path, TESTS / "conftest.py") if first in _defined(p)), None)
            if place is not None:
                found.add((place, first))
            elif first in imports:
                found.add(_placed(imports[first] + rest))
    return frozenset(found)


def _dotted(node: ast.AST) -> tuple[str, str]:
    """Return the first word of a name and the others: ``os`` and ``.fork`` for ``os.fork``."""
    rest = ""
    while isinstance(node, ast.Attribute):
        node, rest = node.value, f".{node.attr}{rest}"
    return getattr(node, "id", "") or str(getattr(node, "arg", "")), rest


def _placed(dotted: str) -> tuple[Path | None, str]:
    """Return the module in tests/ and the name in it for ``tests.builders.problem``."""
    words = dotted.split(".")
    for i in range(len(words) - 1, 0, -1):
        path = TESTS.parent.joinpath(*words[:i]).with_suffix(".py")
        if words[0] == "tests" and path.is_file():
            return path, words[i]
    return None, dotted


@cache
def _of_module(path: Path) -> dict[str, str]:
    return _imports(_module(path).body)


def _imports(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """Return the dotted name behind each name that is imported."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {
                a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names
            }
        elif isinstance(node, ast.ImportFrom):
            found |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return found


@cache
def _module(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _defined(path: Path) -> dict[str, list[ast.stmt]]:
    """Return the statements at the top level of a module that define each name."""
    found: dict[str, list[ast.stmt]] = {}
    for statement in _module(path).body:
        names = [statement.name] if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else []
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        names += [n.id for t in targets if t is not None for n in ast.walk(t) if isinstance(n, ast.Name)]
        for name in names:
            found.setdefault(name, []).append(statement)
    return found
