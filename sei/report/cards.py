"""Cards of exports: a YAML header, and Markdown in which foreign text is always plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from sei.models.target import TargetModel
from sei.parts import is_part, settings
from sei.printable import printable
from sei.scorer import Scorer

# markup inside a line; foreign text never begins a line
_MARKUP = re.compile(r"([\\`*_\[\]<>|&~$:@^]|(?<=www)\.)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The origin of an export. ``parts``: the parts of the method, such as ``refiner``.

    ``samples``: answers to each problem; ``temperature``: 0 for greedy ones.
    """

    experiment: str
    seed: int
    config_digest: str
    git_commit: str
    target: TargetModel
    parts: dict[str, str] = field(default_factory=dict)
    samples: int = 1
    temperature: float = 0.0

    @property
    def asked(self) -> str:
        """Say how the model was asked for the answers behind its scores."""
        drawn = f"{self.samples} answers to each problem" if self.samples > 1 else "One answer to each problem"
        how = f"{drawn}, drawn at temperature {self.temperature:g}" if self.temperature else "Greedy"
        shots = len(self.target.shots())
        shown = f" after {shots} worked examples" if shots else ""
        template, ask = self.target.settled().template, self.target.ask
        return f"{how}, asked with template `{template}` and answer format `{ask}`{shown}"

    @property
    def hub_id(self) -> str:
        """Return the hub name of the target model; empty if its weights come from a folder or a package."""
        return self.target.source if self.target.folder() is None else ""


def header(fields: dict[str, Any]) -> str:
    """Return the YAML block at the start of a card; no value can end it."""
    plain = {k: printable(v) if isinstance(v, str) else v for k, v in fields.items()}
    return f"---\n{yaml.safe_dump(plain, sort_keys=False, allow_unicode=False)}---\n\n"


def cell(text: str, longest: int = 120) -> str:
    """Return foreign text for use inside a line of Markdown: shortened, on one line, with its punctuation escaped."""
    line = printable(" ".join(text.split()))
    short = line if len(line) <= longest else f"{line[: longest - 1]}…"
    return _MARKUP.sub(r"\\\1", short)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; foreign text in cells must have gone through ``cell``."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def described(part: Any) -> str:
    """Return a part's class and its numbers. Its texts are left out, since they may be private paths or addresses."""
    inside = []
    for name, value in settings(part).items():
        if isinstance(value, (bool, int, float)):
            inside.append(f"{name}={value}")
        elif isinstance(value, Scorer):
            inside.append(f"{name}={described(value)}")
        elif isinstance(value, (list, tuple)) and value and all(is_part(v) for v in value):
            inside.append(f"{name}=[{', '.join(described(v) for v in value)}]")
    return f"{type(part).__name__}({', '.join(inside)})"


def provenance(origin: Origin) -> str:
    """Return the table of the settings and versions behind an export."""
    rows = {
        "experiment": origin.experiment,
        "target model": f"{origin.target.name} ({origin.hub_id or origin.target.source.rpartition('/')[2]})",
        **origin.parts,
        "seed": str(origin.seed),
        "config digest": origin.config_digest,
        "git commit of sei": origin.git_commit or "not run from a checkout",
    }
    return table(("what", "value"), ((name, cell(value, 600)) for name, value in rows.items()))
