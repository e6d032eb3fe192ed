"""Records the source that each part's results depend on, so that a change without a new ``version`` is noticed.

``python -m tests.stage_sources`` writes the table after a version was raised. If a change cannot alter results, say so
for all parts or by name: ``python -m tests.stage_sources --same-results [NAME...]``. ``--check`` (in ``make check``)
writes nothing, and exits with 1 if the table is not up to date.

A part depends on its class and on every function, class and constant of sei that its code names, in any module. Parts
in its fields have their own versions in the key. User-facing texts (docstrings, comments, messages of errors and of the
log, estimates: ``sei.outlook.Estimated``) change no result.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import json
import pkgutil
import sys
from functools import cache
from pathlib import Path

import sei
from sei.parts import identity_of, is_part_class

TABLE = Path(__file__).parent / "stage_sources.json"
PLUMBING = ("sei.errors", "sei.parts", "sei.ports", "sei.progress", "sei.records", "sei.store", "sei.devices")
NOT_RESULTS = (
    "sei.track",
    "sei.report",
    "sei.compare",
    "sei.job",
    "sei.sweep",
    "sei.build",
    "sei.exits",
    "sei.__main__",
    "sei.models.tiny",
)
Symbol = tuple[str, str]  # module and name


class _Told(ast.NodeTransformer):
    """Blank user-facing texts: those of raised errors and log lines; also names and versions of parts."""

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return _blank(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        f = node.func
        logs = isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name) and f.value.id == "log"
        error = isinstance(f, ast.Name) and f.id.endswith("Error")
        return _blank(node) if logs or error else node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        named = isinstance(node.target, ast.Name) and node.target.id in ("identity", "version")
        return None if named else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Drop imports: a name's module is no part of a result; its definition is examined separately."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)


def _blank(node: ast.AST) -> ast.AST:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            inner.value = ""
        if isinstance(inner, ast.JoinedStr):
            inner.values = []
    return node


@cache
def _module(name: str) -> tuple[dict[str, ast.stmt], dict[str, Symbol]]:
    """Return a module's own definitions by name, and its imports from sei by their local name."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    for cls in (n for n in tree.body if isinstance(n, ast.ClassDef)):
        cls.body = [n for n in cls.body if not _foretells(n)]
    own: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            own[node.name] = node
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            own.update({t.id: node for t in ast.walk(target) if isinstance(t, ast.Name)} if target else {})
    return own, _imported(tree)


def _foretells(node: ast.stmt) -> bool:
    """Say whether a method is ``sei.outlook.Estimated.estimate``."""
    named = isinstance(node, ast.FunctionDef) and node.name == "estimate"
    return named and [a.arg for a in node.args.args] == ["self", "outlook"]


def _imported(tree: ast.AST) -> dict[str, Symbol]:
    found: dict[str, Symbol] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "sei":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found[alias.asname or alias.name] = (inner, "") if _is_module(inner) else (node.module, alias.name)
    return found


@cache
def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _where(symbol: Symbol) -> Symbol | None:
    """Follow a name to its defining module; ``None`` if that is no source of results."""
    module, name = symbol
    if module.startswith(PLUMBING):
        return None
    own, imported = _module(module)
    if name in own:
        return symbol
    return _where(imported[name]) if name in imported and imported[name][1] else None


def _named(module: str, node: ast.AST) -> set[Symbol]:
    """Return the symbols of sei that code names."""
    own, imported = _module(module)
    here = {**imported, **_imported(node)}
    found: set[Symbol] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
            at = here.get(inner.value.id)
            if at is not None and not at[1]:
                found.add((at[0], inner.attr))
        if isinstance(inner, ast.Name):
            if inner.id in own:
                found.add((module, inner.id))
            elif inner.id in here and here[inner.id][1]:
                found.add(here[inner.id])
    return {s for x in found if (s := _where(x)) is not None}


@cache
def _names_of(symbol: Symbol) -> set[Symbol]:
    return _named(symbol[0], _module(symbol[0])[0][symbol[1]])


def _held(module: str, node: ast.AST) -> set[Symbol]:
    """Return the parts held by a part's fields."""
    fields = [n.annotation for n in getattr(node, "body", ()) if isinstance(n, ast.AnnAssign)]
    named = set().union(*(_named(module, f) for f in fields)) if isinstance(node, ast.ClassDef) else set()
    return {s for s in named if is_part_class(getattr(importlib.import_module(s[0]), s[1], None))}


@cache
def _dump(symbol: Symbol) -> str:
    own, _ = _module(symbol[0])
    copy = ast.parse(ast.unparse(own[symbol[1]]))
    return symbol[1] + ast.dump(_Told().visit(copy))


def sources(symbol: Symbol) -> set[Symbol]:
    """Return everything that a part's results depend on, including the part."""
    own, _ = _module(symbol[0])
    seen, queue = {symbol}, [symbol]
    stop = _held(symbol[0], own[symbol[1]])
    while queue:
        module, name = queue.pop()
        for found in _names_of((module, name)) - seen - stop:
            seen.add(found)
            queue.append(found)
    return seen


def source(symbol: Symbol) -> str:
    """Return the digest of everything that a part's results depend on; places do not matter."""
    text = "\n".join(sorted(_dump(s) for s in sources(symbol)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parts() -> dict[str, Symbol]:
    """Return the place of every part of sei that makes results, by its name."""
    out: dict[str, Symbol] = {}
    for info in pkgutil.walk_packages(sei.__path__, "sei."):
        if info.name.startswith(NOT_RESULTS):
            continue
        module = importlib.import_module(info.name)
        for name, obj in sorted(vars(module).items()):
            if is_part_class(obj) and obj.__module__ == info.name:
                out[identity_of(obj)] = (info.name, name)
    return dict(sorted(out.items()))


def current() -> dict[str, dict[str, object]]:
    found = parts()
    version = {k: getattr(importlib.import_module(m), n).version for k, (m, n) in found.items()}
    return {k: {"version": version[k], "source": source(s)} for k, s in found.items()}


def changed(held: dict[str, object]) -> list[str]:
    """Return the parts whose source or version is not that of the table."""
    return [k for k, v in current().items() if held.get(k) != v]


def main() -> None:
    held = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    words = sys.argv[1:]
    if words == ["--check"]:
        if found := changed(held):
            raise SystemExit(f"raise the version of these parts, then run: python -m tests.stage_sources: {found}")
        return
    table = current()
    same = set(words[1:]) or set(table) if words[:1] == ["--same-results"] else set()
    if unknown := same - set(table):
        raise SystemExit(f"no such parts: {sorted(unknown)}. Their names are those of the table.")
    silent = [k for k, v in table.items() if k in held and held[k] != v and held[k]["version"] == v["version"]]
    if left := [k for k in silent if k not in same]:
        raise SystemExit(f"source changed but version did not: {left}. Raise version, or pass --same-results {left[0]}")
    TABLE.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
