"""Checks a command before Hydra sees it, and explains what Hydra refused."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from sei.errors import ConfigError
from sei.secrecy import is_secret

_VALUED = (
    *("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn", "--package", "-p", "--cfg", "-c"),
    "--experimental-rerun",
)
_GROUP = re.compile(r"[+~]*([a-z_/]+)(@[^=]*)?=(.*)", re.DOTALL)
_INFO = ("--info", "-i")
_MISSING_LAUNCHER = re.compile(r"In 'hydra/launcher/(\w+)': Could not (?:find|load) 'hydra/launcher/(\w+)'")
_EXTRAS = {"submitit_slurm": "slurm", "submitit_local": "slurm", "ray": "ray"}  # of pyproject.toml
_MISSING_OPTION = re.compile(r"Could not find '([^']+)/([^'/]+)'")
_LISTED = re.compile(r"^\t(\S+)$", re.MULTILINE)
_UNKNOWN_KEY = re.compile(r"Could not override '([^']+)'")
_SWEEP = re.compile(r"Ambiguous value for argument '(.+)'$|Sweep parameters '(.+)' requires", re.MULTILINE)
_NULLABLE = frozenset(("attempts", "teacher_card_rows", "review", "answer_tokens", "data_folder"))
"""Settings whose default in ``conf/config.yaml`` is null, or may be."""
_NULL = re.compile(r"([a-z_]+)=(null)?")
OPEN = ("tests", "chat_template_kwargs", "extra_body", "max_tokens", "env")
"""Settings that are mappings of the user's own keys, empty by default."""
_OPENED = re.compile(rf"[a-z_.]+\.(?:{'|'.join(OPEN)})(?:\.[^=+~@]+=|=\{{).*", re.DOTALL)


def check_arguments(arguments: Sequence[str], conf: Path) -> None:
    """Refuse arguments that Hydra must not see, since it writes and prints them before anything is checked.

    Raises:
        ConfigError: for an argument that looks like a secret (not repeated), and for an option outside its folder.
    """
    groups = {p.name for p in conf.iterdir() if p.is_dir()}
    for a in arguments:
        if is_secret(a):
            raise ConfigError("an argument looks like a secret. Remedy: put keys into environment variables.")
        found = _GROUP.fullmatch(a)
        if found and found[1].split("/")[0] in groups and ".." in re.split(r"[^\w.-]+", found[3]):
            rule = "an option is a file in its group's folder of conf/"
            raise ConfigError(f"{found[1]}={found[3]!r}: {rule}. Remedy: --config-dir=FOLDER for your own options.")


def of_one_run(overrides: Sequence[str], groups: Iterable[str]) -> list[str]:
    """Return the settings of one run that was requested from Python.

    Raises:
        ConfigError: for flags, for anything but a list of texts, and as ``ordered``.
    """
    if isinstance(overrides, str) or not all(isinstance(o, str) for o in overrides):
        one = f"sei.run([{overrides!r}])" if isinstance(overrides, str) else 'sei.run(["seed=1"])'
        raise ConfigError(f"overrides={overrides!r}: rule: a list of texts, one for each setting. Remedy: {one}.")
    if flag := next((o for o in overrides if o.startswith("-")), None):
        raise ConfigError(f"{flag}: rule: Python takes settings only. Remedy: the command sei {flag} ...")
    return ordered(overrides, groups)


def ordered(arguments: Sequence[str], groups: Iterable[str]) -> list[str]:
    """Return the arguments with flags before settings. Hydra refuses a setting between two flags.

    ``experiment=null`` is left out: it is that group's default, and Hydra refuses it as an override. A key of the
    user's own in a mapping (``data.tests.hard=FILE``) gets the plus signs that Hydra needs.

    Raises:
        ConfigError: for a setting written as a flag, and for a required part set to null.
    """
    flags, settings, known = [], [], set(groups)
    rest = list(arguments)
    while rest:
        a = rest.pop(0)
        if not a.startswith("-"):
            if "=" not in a and not a.startswith("~"):
                raise ConfigError(f"{a}: a setting needs a value. Remedy: {a}=VALUE, sei --help lists all.")
            if not _is_nothing(a, known):
                settings.append(f"++{a}" if _OPENED.fullmatch(a) else a)  # Hydra adds no key without a plus
            continue
        name = a.lstrip("-").partition("=")[0]
        if a.startswith("--") and (name in known or name.replace("-", "_") in known):
            value = a.partition("=")[2] or (rest[0] if rest and not rest[0].startswith("-") else "...")
            raise ConfigError(f"{a}: settings are written without dashes. Remedy: {name.replace('-', '_')}={value}")
        if a in _INFO:  # its value is optional; without one Hydra would take the next setting
            chosen = bool(rest) and "=" not in rest[0] and not rest[0].startswith("-")
            flags.append(f"--info={rest.pop(0) if chosen else 'all'}")
            continue
        flags.append(a)
        if a in _VALUED and rest:
            flags.append(rest.pop(0))
    return [*flags, *settings]


def config_dir(arguments: Sequence[str]) -> Path | None:
    """Return the folder that ``--config-dir`` names, or ``None``."""
    names = ("--config-dir", "-cd")
    for a, after in zip(arguments, [*arguments[1:], ""], strict=True):
        name, equals, value = a.partition("=")
        if name in names:
            return Path(value if equals else after)
    return None


def _is_nothing(setting: str, groups: set[str]) -> bool:
    found = _NULL.fullmatch(setting)
    if found is None or found[1] not in groups or found[1] in _NULLABLE:
        return False
    if found[1] in ("experiment", "ablation"):
        return True
    raise ConfigError(
        f"{setting}: every run needs a {found[1].replace('_', ' ')}. Remedy: leave it out for the default, or "
        f"use {found[1]}=none if conf/{found[1]} has that option."
    )


def said_by(error: str, experiment: str, overrides: Sequence[str], conf: Path) -> str:
    """Say which experiment set the key that an error begins with; empty if the command itself set it."""
    key = error.partition("=")[0]
    path = conf / "experiment" / f"{experiment}.yaml"
    if not re.fullmatch(r"[a-z_.]+", key) or any(o.startswith(f"{key}=") for o in overrides) or not path.is_file():
        return ""
    found: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name in key.split("."):
        if not isinstance(found, dict) or name not in found:
            return ""
        found = found[name]
    return f" ({key} was set by experiment={experiment}, which may not fit your other settings.)"


def of_composition(message: str, conf: Path, keys: Callable[[], Iterable[str]]) -> str | None:
    """Explain Hydra's message about a config that cannot be composed; ``None`` for other messages.

    ``keys`` returns the dotted names of all settings, to suggest the one that was meant.
    """
    if found := _MISSING_LAUNCHER.search(message):
        return (
            f"hydra/launcher={found[1]}: it needs Hydra's launcher {found[2]}, which is not installed. Remedy: pip "
            f"install 'sei[{_EXTRAS.get(found[2], found[2])}]', or hydra/launcher=joblib (pip install 'sei[sweep]')."
        )
    if found := _MISSING_OPTION.search(message):
        group, option = found[1].split("/")[-1] if not (conf / found[1]).is_dir() else found[1], found[2]
        options = sorted({*_LISTED.findall(message), *(p.stem for p in (conf / group).glob("*.yaml"))})
        return (
            f"{group}={option}: no such option.{_meant(option, options)} Rule: an option is a file of conf/{group} (or "
            f"of --config-dir). Remedy: one of {', '.join(options)}."
        )
    if found := _SWEEP.search(message):
        setting = found[1] or found[2]
        return (
            f"{setting}: several values, but this is one run. Remedy: add -m to the command for a sweep (from Python: "
            "one sei.run for each); key=[a,b] for a list, key='a,b' for a text."
        )
    if found := _UNKNOWN_KEY.search(message):
        return unknown_key(found[1], keys())
    return None


def unknown_key(key: str, keys: Iterable[str]) -> str:
    """Return the message for an unknown setting, with its neighbours and a suggestion."""
    known = set(keys)
    parent, _, last = key.rpartition(".")
    below = {k.removeprefix(f"{parent}.") for k in known if not parent or k.startswith(f"{parent}.")}
    beside = sorted({k.split(".")[0] for k in below} - {"_target_"})
    same_name = sorted((k for k in known if k.rpartition(".")[2] == last and k != key), key=lambda k: (k.count("."), k))
    meant = f" Did you mean {' or '.join(same_name[:3])}?" if same_name else _meant(last, beside)
    there = (
        f"{parent or 'the top level'} has {', '.join(beside)}" if beside else f"the config lists no keys of {parent}"
    )
    more = f"; +{key}=VALUE sets what a class has and its file does not list" if parent else ""
    return f"{key}: no such setting.{meant} Rule: {there}. Remedy: sei --cfg job shows all settings{more}."


def _meant(word: str, words: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else ""
