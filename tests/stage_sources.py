"""Which source each part's results rest on, so that a change without a new ``version`` is seen.

``python -m tests.stage_sources`` writes the table after a version was raised. Where a change cannot
alter results (comments, typing), say so: ``python -m tests.stage_sources --same-results``.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import pkgutil
import sys
from pathlib import Path

import sei
from sei.parts import is_part_class

TABLE = Path(__file__).parent / "stage_sources.json"
PLUMBING = ("sei.errors", "sei.parts", "sei.ports", "sei.progress", "sei.records", "sei.store")
NOT_RESULTS = (
    "sei.track",
    "sei.report",
    "sei.compare",
    "sei.run",
    "sei.sweep",
    "sei.build",
    "sei.exits",
    "sei.__main__",
    "sei.models.tiny",
)


def _tree(module: str) -> ast.Module:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            body[0].value.value = ""  # docstrings cannot change a result
    return tree


def _imports(module: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("sei"):
            found.add(node.module)
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if importlib.util.find_spec(node.module).submodule_search_locations and _is_module(name):
                    found.add(name)
    return {m for m in found if not m.startswith(PLUMBING)}


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def source(module: str) -> str:
    """Digest of a module and all it imports from sei, docstrings and comments aside."""
    seen: set[str] = set()
    queue = [module]
    while queue:
        m = queue.pop()
        if m not in seen:
            seen.add(m)
            queue += sorted(_imports(m))
    text = "".join(m + ast.dump(_tree(m)) for m in sorted(seen))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def current() -> dict[str, dict[str, object]]:
    out: dict[str, dict[str, object]] = {}
    for info in pkgutil.walk_packages(sei.__path__, "sei."):
        if info.name.startswith(NOT_RESULTS):
            continue
        module = importlib.import_module(info.name)
        for name, obj in sorted(vars(module).items()):
            if is_part_class(obj) and obj.__module__ == info.name:
                out[f"{info.name}.{name}"] = {"version": obj.version, "source": source(info.name)}
    return dict(sorted(out.items()))


def main() -> None:
    table, held = current(), json.loads(TABLE.read_text()) if TABLE.exists() else {}
    silent = [k for k, v in table.items() if k in held and held[k] != v and held[k]["version"] == v["version"]]
    if silent and "--same-results" not in sys.argv:
        raise SystemExit(f"source changed but version did not: {silent}. Raise version, or pass --same-results.")
    TABLE.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
