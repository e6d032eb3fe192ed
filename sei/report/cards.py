"""Cards of what a run hands on: a YAML header and Markdown in which foreign text is text and nothing else."""

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

# inside a line; what is markup at its beginning alone never stands there
_MARKUP = re.compile(r"([\\`*_\[\]<>|&~$:@^]|(?<=www)\.)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where an export comes from. ``parts`` says what the method was made of, such as ``refiner``."""

    experiment: str
    seed: int
    config_digest: str
    git_commit: str
    target: TargetModel
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def hub_id(self) -> str:
        """Return the hub name of the target model, empty where its weights come from a folder or a package."""
        return self.target.source if self.target.folder() is None else ""


def header(fields: dict[str, Any]) -> str:
    """Return the YAML block that a card starts with; nothing inside a value can end it."""
    plain = {k: printable(v) if isinstance(v, str) else v for k, v in fields.items()}
    return f"---\n{yaml.safe_dump(plain, sort_keys=False, allow_unicode=False)}---\n\n"


def cell(text: str, longest: int = 120) -> str:
    """Return foreign text for the inside of a line of Markdown: shortened, on one line, its punctuation no markup."""
    line = printable(" ".join(text.split()))
    short = line if len(line) <= longest else f"{line[: longest - 1]}…"
    return _MARKUP.sub(r"\\\1", short)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; cells that are foreign text went through ``cell``."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def described(part: Any) -> str:
    """Return a part's class with its numbers. Its texts stay out: they may be paths or addresses of somebody."""
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
    """Return the table of what an export was made with."""
    rows = {
        "experiment": origin.experiment,
        "target model": f"{origin.target.name} ({origin.hub_id or origin.target.source.rpartition('/')[2]})",
        **origin.parts,
        "seed": str(origin.seed),
        "config digest": origin.config_digest,
        "git commit of sei": origin.git_commit or "not run from a checkout",
    }
    return table(("what", "value"), ((name, cell(value, 600)) for name, value in rows.items()))
