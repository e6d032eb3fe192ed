"""Turns plain data into a page that opens from disk: strict content policy, no network, model text as plain text."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import logging
import math
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from sei.printable import printable
from sei.report.page.build import gather
from sei.report.page.files import Known
from sei.report.page.sweep import gather_sweep
from sei.store import write_atomic

log = logging.getLogger(__name__)
NAME = "report.html"
_SCRIPTS = (
    "dom",
    "charts",
    "map",
    "flow",
    "reasons",
    "browse",
    "saturation",
    "sections",
    "account",
    "words",
    "curves",
    "sweep",
    "main",
)
_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def write_page(folder: Path, so_far: int | None = None, known: Known | None = None) -> None:
    """Write the page of a run folder; any error is logged and does not affect the run.

    ``so_far``: the number of rounds done in a running run. ``known``: what its earlier pages have read.
    """
    _carefully(lambda: make_page(folder, so_far, known), folder)


def write_sweep_page(folder: Path) -> None:
    """Write the page of a sweep folder; any error is logged and does not affect the jobs."""
    _carefully(lambda: make_sweep_page(folder), folder)


def make_page(folder: Path, so_far: int | None = None, known: Known | None = None) -> Path:
    """Build ``report.html`` of a run folder from its files alone and return its path.

    Raises:
        DataError: if the folder has no results of a run.
        DiskError: if the page cannot be written.
    """
    return _written(folder, gather(folder, so_far, known))


def make_sweep_page(folder: Path) -> Path:
    """Build ``report.html`` of a sweep folder: its settings over their seeds, and its jobs with links to their pages.

    Raises:
        DataError: if the folder is not that of a sweep.
        DiskError: if the page cannot be written.
    """
    return _written(folder, gather_sweep(folder))


def render(data: dict[str, Any]) -> str:
    """Return the complete page as HTML."""
    here = files("sei.report.page")
    css = (here / "page.css").read_text(encoding="utf-8")
    code = "\n".join((here / "js" / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)
    script = f'(() => {{\n"use strict";\n{code}\n}})();\n'
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(css)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return Template((here / "template.html").read_text(encoding="utf-8")).substitute(
        policy=policy,
        title=html.escape(f"sei: {printable(data['folder'])}"),
        css=css,
        data=embedded(data),
        script=script,
    )


def embedded(data: Any) -> str:
    """Return data as JSON that cannot end its script block; unprintable characters are escaped.

    Line breaks and tabs in a text stay.
    """
    text = json.dumps(_shown(data), ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda m: f"\\u{ord(m[0]):04x}", text)


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        plain = value.replace("\n", "").isprintable()
        return value if plain else printable(value, keep="\n\t")
    if isinstance(value, float):
        return value if math.isfinite(value) else None  # JSON has no NaN
    if isinstance(value, dict):
        return {_shown(k): _shown(v) for k, v in value.items()}
    return [_shown(v) for v in value] if isinstance(value, (list, tuple)) else value


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _written(folder: Path, data: dict[str, Any]) -> Path:
    write_atomic(folder / NAME, render(data).encode())
    return folder / NAME


def _carefully(make: Callable[[], Path], folder: Path) -> None:
    try:
        make()
    except Exception as e:
        again = f"python -m sei.report.page {folder} to try again"
        log.warning("%s was not written: %s: %s (%s)", NAME, type(e).__name__, e, again)
