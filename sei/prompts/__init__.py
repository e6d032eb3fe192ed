"""Prompt templates: one text file per request, named and versioned, rendered here and nowhere else.

A template is known by its name here (``solve_plain.v1``) or by the path of a file of your own (``./ask.txt``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from string import Template

from sei.errors import ConfigError

OWN = ("keyphrase", "synthesize", "combine", "correct", "solve", "similar", "error", "contrast", "rephrase",
       "self_verification", "fobar", "evolve_upward", "evolve_downward", "cluster", "assign", "merge")  # fmt: skip
"""The requests to an instructor, each by a template that ``prompts.keyphrase=PATH`` replaces by a file."""


def is_path(name: str) -> bool:
    """Say whether a text names a file of the user's: it begins with ``./``, ``../``, ``/`` or ``~``, on one line."""
    return name.startswith(("./", "../", "/", "~")) and "\n" not in name


def template(name: str) -> str:
    """Return the text of a template, such as ``solve_plain.v1`` or ``./ask.txt``, without a last line break.

    Raises:
        FileNotFoundError: with the list of templates that exist.
        ConfigError: where a file of the user's cannot be read.
    """
    if is_path(name):
        return _text_of(name)
    folder = files(__package__)
    path = folder / f"{name}.txt"
    if not path.is_file():
        known = sorted(p.name.removesuffix(".txt") for p in folder.iterdir() if p.name.endswith(".txt"))
        raise FileNotFoundError(f"no prompt template {name!r}; there are {known}")
    return path.read_text(encoding="utf-8").removesuffix("\n")


def _text_of(name: str) -> str:
    path = Path(name).expanduser()
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"prompt file {name}: cannot be read ({e}). Remedy: the path of a text file in UTF-8.") from e


@lru_cache(maxsize=64)
def _read(path: Path, _: int) -> str:
    return path.read_text(encoding="utf-8-sig").removesuffix("\n")


def render(name: str, **fields: str) -> str:
    """Fill a template; every ``$field`` must be given, and nothing inside a value is expanded."""
    return Template(template(name)).substitute(fields)


def require_template(setting: str, path: str, like: str) -> None:
    """Refuse a file of the user's that cannot stand in for the template ``like``.

    Raises:
        ConfigError: where it cannot be read, lacks a placeholder of ``like`` or has another one.
    """
    text, wanted = Template(template(path)), set(Template(template(like)).get_identifiers())
    found = set(text.get_identifiers())
    shown = ", ".join(f"${n}" for n in sorted(wanted))
    if not text.is_valid():
        wrong = "holds a $ that begins no placeholder"
    elif found - wanted:
        wrong = f"has unknown placeholders {', '.join(f'${n}' for n in sorted(found - wanted))}"
    elif wanted - found:
        wrong = f"lacks {', '.join(f'${n}' for n in sorted(wanted - found))}"
    else:
        return
    raise ConfigError(
        f"{setting}={path}: the file {wrong}. Rule: it has each of {shown} and no other placeholder; a dollar sign of "
        "the text is written $$. Remedy: mend the file."
    )


def require_own(prompts: Mapping[str, str | None]) -> None:
    """Refuse files for requests that are not known, and files that lack a placeholder.

    Raises:
        ConfigError: naming the setting, its value and what there is.
    """
    for name, path in prompts.items():
        if name not in OWN:
            raise ConfigError(f"prompts.{name}={path}: unknown request. Remedy: one of {', '.join(OWN)}.")
        if path is not None and not is_path(path):
            raise ConfigError(
                f"prompts.{name}={path}: no path. Remedy: prompts.{name}=./{name}.txt (./ or / begins it)."
            )
        if path is not None:
            require_template(f"prompts.{name}", path, f"{name}.v1")


def ask_template(ask: str) -> str:
    """Return the template of an answer format: ``hash``, ``boxed`` or ``plain``, or a file of the user's."""
    return ask if is_path(ask) else f"ask_{ask}.v1"


def after(layout: str) -> str:
    """Return what follows a filled layout before the answer: a line break, nothing where the layout ends in a blank."""
    return "" if template(layout)[-1:].isspace() else "\n"


def asked(question: str, options: Sequence[str]) -> str:
    """Return a question as a model sees it: with its options, where it has any."""
    return render("options.v1", question=question, options="\n".join(options)) if options else question


def prompt_digest(name: str) -> str:
    """Return the digest of a template's text, for the store's key."""
    return hashlib.sha256(template(name).encode()).hexdigest()[:16]
