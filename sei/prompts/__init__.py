"""Prompt templates: one text file per request, named and versioned, rendered here and nowhere else.

A template is known by its name here (``solve_plain.v1``) or by the path of a file of your own (``./ask.txt``).
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

OWN = ("keyphrase", "synthesize", "combine", "correct", "solve", "similar", "error", "contrast", "rephrase",
       "self_verification", "fobar", "evolve_upward", "evolve_downward", "cluster", "assign", "merge")  # fmt: skip
"""The requests to an instructor, each by a template that ``prompts.keyphrase=PATH`` replaces by a file."""
_ANSWER = re.compile(r"(?<!\$)((?:\$\$)*)\$(?:answer|\{answer\})\s*\Z")


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


def require_layout(setting: str, path: str) -> None:
    """Refuse a file of the user's that cannot stand around a question: ``$question``, and ``$answer`` at its end.

    Raises:
        ConfigError: where it cannot be read, or its placeholders are not these.
    """
    text = template(path)
    before = text[: found.end(1)] if (found := _ANSWER.search(text)) else text
    if "answer" in Template(before).get_identifiers():
        raise ConfigError(
            f"{setting}={path}: $answer stands in the middle of the file. Rule: $answer says where the answer begins; "
            "it stands once and nothing may follow it. Remedy: end the file with it, or leave it out."
        )
    _require(setting, path, Template(before), {"question"})


def require_template(setting: str, path: str, like: str) -> None:
    """Refuse a file of the user's that cannot stand in for the template ``like``.

    Raises:
        ConfigError: where it cannot be read, lacks a placeholder of ``like`` or has another one.
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


def layout_parts(layout: str) -> tuple[str, str]:
    """Return the text that asks a question, still with ``$question``, and what stands between it and the answer.

    A layout that ends in ``$answer`` says both: blanks before the mark belong to the answer. One without the mark is
    asked whole; a line break follows, or nothing where it ends in a blank.
    """
    text = template(layout)
    if found := _ANSWER.search(text):
        before = text[: found.end(1)]
        return before.rstrip(), before[len(before.rstrip()) :]
    return text, "" if text[-1:].isspace() else "\n"


def render_layout(layout: str, question: str) -> str:
    """Return a question as a layout asks it."""
    return Template(layout_parts(layout)[0]).substitute(question=question)


def asked(question: str, options: Sequence[str]) -> str:
    """Return a question as a model sees it: with its options, where it has any."""
    return render("options.v1", question=question, options="\n".join(options)) if options else question


def prompt_digest(name: str) -> str:
    """Return the digest of a template's text, for the store's key."""
    return hashlib.sha256(template(name).encode()).hexdigest()[:16]
