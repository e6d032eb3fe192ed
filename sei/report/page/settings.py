"""The settings of a sweep: jobs that differ only in the seed form one setting, with means over seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sei.report.page.spread import over_seeds, spread

_USED = ("requests", "input_tokens", "output_tokens", "usd")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job: its overrides as written, its data for the page, and its summary once it is done.

    ``base_seconds``: the time of all stages before the first round.
    """

    overrides: tuple[str, ...]
    shown: dict[str, Any]
    summary: dict[str, Any] | None
    base_seconds: float = 0.0

    @property
    def setting(self) -> tuple[str, ...]:
        """Return the overrides shared with the jobs of other seeds. Values that the page hides count as well."""
        return tuple(o for o in self.overrides if not is_seed(o))

    @property
    def stages(self) -> list[dict[str, dict[str, Any]]]:
        """Return the scores of the base and of every round; none without a summary."""
        return [self.summary["baseline"], *(r["scores"] for r in self.summary["rounds"])] if self.summary else []


def is_seed(override: str) -> bool:
    """Say whether an override sets the seed of the run."""
    return override.lstrip("+").startswith("seed=")


def settings_of(jobs: Iterable[Job], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return every setting with its states, curves, changes and cost, in the order of its first job.

    ``names`` are the held-out sets.
    """
    groups: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.setting, []).append(job)
    return [_setting(group, names) for group in groups.values()]


def _setting(jobs: list[Job], names: Sequence[str]) -> dict[str, Any]:
    done = _one_a_seed(jobs)
    return {
        "method": next((m for j in jobs if (m := j.shown.get("method"))), ""),
        "own": [o for o in jobs[0].shown["own"] if not is_seed(o)],
        "jobs": [j.shown["number"] for j in jobs],
        "states": dict(Counter(j.shown["state"] for j in jobs)),
        "seeds": len(done),
        "chosen": sorted(Counter(j.shown["best"] for j in done).items()),
        "curves": {n: curve for n in names if (curve := _curve(done, n))},
        "changes": {n: change for n in names if (change := _change(done, n))},
        "cost": _cost(done),
    }


def _one_a_seed(jobs: list[Job]) -> list[Job]:
    """Return the finished jobs, one per seed: the same seed run twice is one result, not two."""
    found: dict[Any, Job] = {}
    for job in jobs:
        if job.summary:
            found[job.summary.get("seed", job.shown["number"])] = job
    return list(found.values())


def _curve(done: list[Job], name: str) -> list[dict[str, Any] | None]:
    """Return the mean over the seeds with a score, for the base and every round; ``None`` for a stage without any."""
    out: list[dict[str, Any] | None] = []
    for stage in range(max((len(j.stages) for j in done), default=0)):
        scores = [s for j in done if stage < len(j.stages) and (s := j.stages[stage].get(name))]
        out.append(over_seeds(scores) if scores else None)
    return out if any(out) else []


def _change(done: list[Job], name: str) -> dict[str, Any] | None:
    """Return the change from the base to the chosen round, and the accuracy ``reached``."""
    pairs = [(s["scores"][0], s["scores"][1]) for j in done for s in j.shown["sets"] if s["name"] == name]
    known = [(a["accuracy"], b["accuracy"]) for a, b in pairs if a and b]
    if not known:
        return None
    return {**spread([b - a for a, b in known]), "reached": spread([b for _, b in known])["mean"]}


def _cost(done: list[Job]) -> dict[str, dict[str, Any] | None]:
    """Return the mean cost of a job; ``None`` for values that no summary has."""
    summaries = [j.summary for j in done if j.summary]
    used = [s.get("instructor") or {} for s in summaries]
    values: dict[str, list[float]] = {
        "seconds": [j.shown["seconds"] for j in done if j.shown["seconds"]],
        "making": [j.base_seconds + s for j in done if j.summary for s in _sums([j.summary], "seconds")],
        "tokens": _sums(summaries, "trained_tokens"),
        "candidates": _sums(summaries, "synthesized"),
        **{key: [u[key] for u in used if key in u] for key in _USED},
    }
    return {k: spread(v) if v else None for k, v in values.items()}


def _sums(summaries: list[dict[str, Any]], key: str) -> list[float]:
    """Return the sum over rounds for every summary with a value for all rounds; seconds also summed over stages."""
    found = [[r.get(key) for r in s["rounds"]] for s in summaries]
    return [sum(sum(v.values()) if isinstance(v, dict) else v for v in f) for f in found if None not in f]
