"""Prompt templates: one named and versioned text file per request. All prompts are rendered here.

A template is given by its name (``solve_plain.v1``) or by the path of your own file (``./ask.txt``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from string import Template

from sei.errors import ConfigError

OWN = (
    *("keyphrase", "synthesize", "unnamed", "random", "combine", "correct", "solve", "similar", "error", "contrast"),
    *("rephrase", "self_verification", "fobar", "evolve_upward", "evolve_downward", "cluster", "assign", "merge"),
)
"""The requests to an instructor. ``prompts.keyphrase=PATH`` replaces the template of one by your own file."""
_ANSWER = re.compile(r"(?<!\$)((?:\$\$)*)\$(?:answer|\{answer\})\s*\Z")


def is_path(name: str) -> bool:
    """Tell whether a text is the path of a user's file: one line that begins with ``./``, ``../``, ``/`` or ``~``."""
    return name.startswith(("./", "../", "/", "~")) and "\n" not in name


def template(name: str) -> str:
    """Return the text of a template, such as ``solve_plain.v1`` or ``./ask.txt``, without its last line break.

    Raises:
        FileNotFoundError: if the name is unknown; lists the known templates.
        ConfigError: if a user's file cannot be read.
    """
    if is_path(name):
        return _text_of(name)
    return _packaged(name)


@lru_cache(maxsize=256)
def _packaged(name: str) -> str:
    folder = files(__package__)
    path = folder / f"{name}.txt"
    if not path.is_file():
        known = sorted(p.name.removesuffix(".txt") for p in folder.iterdir() if p.name.endswith(".txt"))
        raise FileNotFoundError(f"there is no prompt template {name!r}; the templates are {known}")
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
    """Fill a template. Every ``$field`` must be given. Values are not expanded."""
    return Template(template(name)).substitute(fields)


def require_layout(setting: str, path: str) -> None:
    """Refuse a user's layout file unless it has ``$question`` and, optionally, ``$answer`` at its end.

    Raises:
        ConfigError: if it cannot be read or has other placeholders.
    """
    text = template(path)
    before = text[: found.end(1)] if (found := _ANSWER.search(text)) else text
    if "answer" in Template(before).get_identifiers():
        raise ConfigError(
            f"{setting}={path}: $answer is in the middle of the file. Rule: $answer marks where the answer begins, so "
            "it occurs once, at the end. Remedy: end the file with it, or leave it out."
        )
    _require(setting, path, Template(before), {"question"})


def require_template(setting: str, path: str, like: str) -> None:
    """Refuse a user's file that cannot replace the template ``like``.

    Raises:
        ConfigError: if it cannot be read, lacks a placeholder of ``like`` or has another one.
    """
    _require(setting, path, Template(template(path)), set(Template(template(like)).get_identifiers()))


def _require(setting: str, path: str, text: Template, wanted: set[str]) -> None:
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
        f"{setting}={path}: the file {wrong}. Rule: it must have each of {shown} and no other placeholder; a literal "
        "dollar sign is written $$. Remedy: correct the file."
    )


def require_own(prompts: Mapping[str, str | None]) -> None:
    """Refuse files for unknown requests, and files that lack a placeholder.

    Raises:
        ConfigError: names the setting, its value and the allowed values.
    """
    for name, path in prompts.items():
        if name not in OWN:
            raise ConfigError(f"prompts.{name}={path}: unknown request. Remedy: one of {', '.join(OWN)}.")
        if path is not None and not is_path(path):
            raise ConfigError(
                f"prompts.{name}={path}: not a path. Remedy: prompts.{name}=./{name}.txt (a path begins with ./ or /)."
            )
        if path is not None:
            require_template(f"prompts.{name}", path, f"{name}.v1")


def ask_template(ask: str) -> str:
    """Return the template of an answer format: ``hash``, ``boxed``, ``plain``, or a user's file."""
    return ask if is_path(ask) else f"ask_{ask}.v1"


def layout_parts(layout: str) -> tuple[str, str]:
    """Return the text that asks a question, still with ``$question``, and the white space before the answer.

    If a layout ends in ``$answer``, the blanks before it belong to the answer. Otherwise the whole layout asks the
    question, and a line break follows unless it ends in a blank.
    """
    text = template(layout)
    if found := _ANSWER.search(text):
        before = text[: found.end(1)]
        return before.rstrip(), before[len(before.rstrip()) :]
    return text, "" if text[-1:].isspace() else "\n"


def render_layout(layout: str, question: str) -> str:
    """Return a question rendered with a layout."""
    return Template(layout_parts(layout)[0]).substitute(question=question)


def asked(question: str, options: Sequence[str]) -> str:
    """Return a question as a model sees it, with its options if it has any."""
    return render("options.v1", question=question, options="\n".join(options)) if options else question


def prompt_digest(name: str) -> str:
    """Return the digest of a template's text, for the store's key."""
    return hashlib.sha256(template(name).encode()).hexdigest()[:16]
