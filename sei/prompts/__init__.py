"""Prompt templates: one text file per request, named and versioned, rendered here and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from string import Template


def template(name: str) -> str:
    """Return the text of a template, such as ``solve_plain.v1``.

    Raises:
        FileNotFoundError: with the list of templates that exist.
    """
    folder = files(__package__)
    path = folder / f"{name}.txt"
    if not path.is_file():
        known = sorted(p.name.removesuffix(".txt") for p in folder.iterdir() if p.name.endswith(".txt"))
        raise FileNotFoundError(f"no prompt template {name!r}; there are {known}")
    return path.read_text(encoding="utf-8").removesuffix("\n")


def render(name: str, **fields: str) -> str:
    """Fill a template; every ``$field`` must be given, and nothing inside a value is expanded."""
    return Template(template(name)).substitute(fields)


def asked(question: str, options: Sequence[str]) -> str:
    """Return a question as a model sees it: with its options, where it has any."""
    return render("options.v1", question=question, options="\n".join(options)) if options else question


def prompt_digest(name: str) -> str:
    """Return the digest of a template's text, for the store's key."""
    return hashlib.sha256(template(name).encode()).hexdigest()[:16]
