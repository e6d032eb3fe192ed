"""Finished runs as stored on disk: summary, built settings, and right or wrong per item.

Incomplete runs raise no error: they are listed with the reason (``Skipped``), and the others are used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field, ValidationError

from sei.models.own import named
from sei.printable import printable
from sei.report.inputs import settings_digest
from sei.report.lm_eval import FLEXIBLE
from sei.statistics import alike

_FEW = 3  # folders of one reason that are named
BASE = 0  # the stage before the first round
Items = dict[tuple[str, str], bool]  # (id, question) to right or wrong


class SetScore(BaseModel):
    """Accuracy (a share) of one stage on one set of ``n`` answers; ``role`` is in_domain, out_of_domain or dev.

    With ``samples`` answers per question, ``ci95`` is clustered by question.
    """

    role: str
    n: int = Field(ge=0, strict=True)
    accuracy: float = Field(ge=0, le=1, allow_inf_nan=False)
    unreadable: int = 0
    grader_errors: int = Field(default=0, ge=0)
    samples: int = Field(default=1, ge=1)
    ci95: tuple[float, float] | None = None


class Round(BaseModel):
    """One round: scores by set; candidates after screening and supervised tokens of its fine-tune, if known."""

    scores: dict[str, SetScore]
    synthesized: int | None = Field(default=None, ge=0)
    trained_tokens: int | None = Field(default=None, ge=0)
    trained_steps: int | None = Field(default=None, ge=0)


class Summary(BaseModel):
    """The part of ``summary.json`` that tables need. ``held_out``: digests of the questions and golds of each set.

    ``settings``: the digest of the settings that the numbers were made with; ``inputs``: that of the files and plugins
    that the settings name. Both are empty in summaries of earlier versions.
    """

    seed: int = Field(strict=True)
    git_commit: str = ""
    baseline: dict[str, SetScore] = Field(min_length=1)
    rounds: list[Round]
    best_round: int = Field(ge=0)
    held_out: dict[str, str] = {}
    settings: str = ""
    inputs: str = ""
    environment: dict[str, Any] = {}


@dataclass(frozen=True)
class Skipped:
    """A run folder without usable numbers, and the reason."""

    folder: Path
    reason: str


@dataclass(frozen=True)
class Run:
    """A finished run. ``config`` is its composed config as written, with unresolved references to other keys.

    Values from environment variables are filled in, so runs with different ones are of different methods.
    """

    folder: Path
    summary: Summary
    config: Mapping[str, Any]
    _items: dict[int, dict[str, Items]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def seed(self) -> int:
        """Return the seed."""
        return self.summary.seed

    @cached_property
    def stages(self) -> tuple[dict[str, SetScore], ...]:
        """Return scores by set: of the base, then of every round."""
        return (self.summary.baseline, *(r.scores for r in self.summary.rounds))

    @property
    def best(self) -> int:
        """Return the best stage on dev, which is the run's model."""
        return self.summary.best_round

    @property
    def last(self) -> int:
        """Return the last stage."""
        return len(self.summary.rounds)

    def accuracy(self, stage: int, name: str) -> float | None:
        """Return the accuracy of a stage on a set; None if it was not measured."""
        found = self.stages[stage].get(name) if stage < len(self.stages) else None
        return found.accuracy if found is not None and found.n else None

    def items(self, stage: int) -> dict[str, Items]:
        """Return right or wrong per item by set; sets without files that fit their score are left out.

        A broken file is ignored. So is a file whose share of right items is not the accuracy in the summary: it belongs
        to another model, or lacks items.
        """
        if stage not in self._items:
            found = _items(self.folder, stage)
            self._items[stage] = {k: v for k, v in found.items() if self._fits(v, self.accuracy(stage, k))}
        return self._items[stage]

    @staticmethod
    def _fits(items: Items, accuracy: float | None) -> bool:
        return bool(items) and accuracy is not None and alike((sum(items.values()) / len(items), accuracy))


def collect(folders: Sequence[Path]) -> tuple[list[Run], list[Skipped]]:
    """Read all runs below the folders, ordered by path; also returns those without usable numbers."""
    found: set[Path] = set()
    for folder in folders:
        found |= {p.parent.resolve() for p in folder.rglob("summary.json")}
        found |= {p.parent.parent.resolve() for p in folder.rglob(".hydra/config.yaml")}
    runs: list[Run] = []
    skipped: list[Skipped] = []
    for home in sorted(found):
        one = read_run(home)
        if isinstance(one, Run):
            runs.append(one)
        else:
            skipped.append(one)
    return runs, skipped + _never_begun(folders, found)


def _never_begun(folders: Sequence[Path], found: Iterable[Path]) -> list[Skipped]:
    """Return the jobs of unfinished sweeps that have no folder yet."""
    out = []
    for states in sorted({p.resolve() for folder in folders for p in folder.rglob("sweep.json")}):
        try:
            jobs = dict(json.loads(states.read_text(encoding="utf-8"))["jobs"])
            begun = {*found, *(home for home in states.parent.iterdir() if (home / ".hydra").is_dir())}
            for number, job in jobs.items():
                home = states.parent / Path(str(job["folder"])).name
                if home not in begun and job["state"] != "done":
                    out.append(Skipped(home, f"job {number} of its sweep is {job['state']} and has no result"))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue  # the finished runs are read from their own folders
    return out


def left_out(skipped: Sequence[Skipped]) -> list[str]:
    """Return a line for each reason that several folders share, and for each other folder."""
    by_reason: dict[str, list[Path]] = {}
    for one in skipped:
        by_reason.setdefault(one.reason, []).append(one.folder)
    lines = []
    for reason, homes in by_reason.items():
        if len(homes) > _FEW:
            shown = ", ".join(map(str, homes[:_FEW]))
            lines.append(f"Left out: {len(homes)} folders: {reason}: {shown} and {len(homes) - _FEW} more.")
        else:
            lines += [f"Left out: {home}: {reason}." for home in homes]
    return lines


def read_run(home: Path) -> Run | Skipped:
    """Read one run folder."""
    try:
        text = (home / "summary.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return Skipped(home, "no summary.json: not finished, or nothing was run (refused settings, dry_run, estimate)")
    except (OSError, ValueError) as e:
        return Skipped(home, f"summary.json cannot be read: {_short(e)}")
    if _given_outputs(text):
        return Skipped(home, "diagnosis only (attempts=FILE): it has no scores")
    try:
        summary = Summary.model_validate_json(text)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return Skipped(home, f"summary.json is broken: {f'{where}: ' if where else ''}{first['msg']}")
    if summary.best_round > len(summary.rounds):
        return Skipped(home, f"summary.json is broken: best_round {summary.best_round} is not a round")
    try:
        config = yaml.safe_load((home / ".hydra" / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as e:
        return Skipped(home, f".hydra/config.yaml cannot be read: {_short(e)}")
    if not isinstance(config, dict):
        return Skipped(home, ".hydra/config.yaml is not a mapping")
    if summary.settings and summary.settings != settings_digest(config):
        return Skipped(
            home, "its settings were changed after its numbers were made: a later command wrote .hydra/config.yaml"
        )
    return Run(home, summary, named(_filled(config, summary.environment)))


def _given_outputs(text: str) -> bool:
    """Say whether a summary is of a run with given outputs, which trains nothing."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and bool(found.get("attempts"))


def _filled(config: dict[str, Any], values: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Return a config with these values (by dotted key) instead of the written ones."""
    out = {}
    for key, value in config.items():
        here = f"{at}{key}"
        out[key] = _filled(value, values, f"{here}.") if isinstance(value, dict) else values.get(here, value)
    return out


def _short(e: Exception) -> str:
    return printable(" ".join((getattr(e, "strerror", None) or str(e) or type(e).__name__).split())[:120])


def _items(home: Path, stage: int) -> dict[str, Items]:
    where = home / ("base" if stage == BASE else f"round_{stage}")
    newest: dict[str, Path] = {}
    for path in sorted((where / "lm_eval").glob("samples_*.jsonl"), key=lambda p: p.stem.rsplit("_", 1)[-1]):
        newest[path.stem.removeprefix("samples_").rsplit("_", 1)[0]] = path  # a resumed run wrote it twice
    try:
        if newest:
            return {name: _samples(_rows(path)) for name, path in newest.items()}
        return _evaluation(_rows(where / "evaluation.jsonl"))
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    with path.open(encoding="utf-8", errors="surrogatepass") as file:
        for line in file:
            yield json.loads(line)


def _samples(rows: Iterable[dict[str, Any]]) -> Items:
    return {
        (str(r["doc"]["id"]), str(r["doc"]["question"])): r["exact_match"] == 1.0
        for r in rows
        if r["filter"] == FLEXIBLE
    }


def _evaluation(rows: Iterable[dict[str, Any]]) -> dict[str, Items]:
    out: dict[str, Items] = {}
    for r in rows:
        problem = r["attempt"]["problem"]
        if not r["fault"]:
            key = (str(problem["id"]), str(problem["question"]))
            out.setdefault(str(problem["set"]), {})[key] = r["verdict"] == "right"
    return out
