"""``summary.json``: the machine-readable result of a run, stable for scripts."""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
from collections import Counter, defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sei.records import BothAnswers, Graded, HeldOutProblem, Opinion, RoundRecord, Score, Usage
from sei.secrecy import hidden
from sei.stages.sampled import by_problem, majority
from sei.store import digest
from sei.store.files import relocated

_PACKAGES = (
    "hydra-core",
    "numpy",
    "openai",
    "peft",
    "pytorch-lightning",
    "scikit-learn",
    "sentence-transformers",
    "torch",
    "transformers",
    "wandb",
)
_WHEN_SET = ("attempts",)  # not in the digest if unset, so earlier digests stay the same
_OF_CARD = ("teacher_card", "teacher_card_rows", "card")
_NOT_IN_DIGEST = (  # cannot change a result
    *("store", "tracker", "plugins", "name", "estimate", "dry_run", "preview", "assume"),
    *_OF_CARD,
)


def score_dict(scores: dict[str, Score]) -> dict[str, dict[str, Any]]:
    """Return scores as plain values."""
    return {name: _shown(s) for name, s in scores.items()}


def _shown(s: Score) -> dict[str, Any]:
    single = ("samples", "majority", "pass_at") if s.samples == 1 else ()
    found = {k: v for k, v in dataclasses.asdict(s).items() if k not in single}
    return found if single else {**found, "pass_at": {str(k): v for k, v in s.pass_at}}


def contents(graded: Sequence[Graded]) -> dict[str, str]:
    """Return, for each held-out set, a digest of its questions, options and gold answers in any order."""
    sets: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
    for g in graded:
        if isinstance(p := g.attempt.problem, HeldOutProblem):
            sets[p.set].add((p.id, p.question, p.answer, *p.options))
    return {name: digest(sorted(map(list, items))) for name, items in sets.items()}


def best_dev_accuracy(folder: Path) -> float | None:
    """Return the accuracy over all dev sets of a finished run's best checkpoint, ``None`` if there is none."""
    path = folder / "summary.json"
    if not path.exists():
        return None
    summary = json.loads(path.read_text(encoding="utf-8"))
    best = summary["best_round"]
    scores = summary["rounds"][best - 1]["scores"] if best else summary["baseline"]
    rows = [s for s in scores.values() if s["role"] == "dev"]
    if not rows:  # a run with given outputs
        return None
    return float(sum(s["correct"] for s in rows) / max(1, sum(s["n"] for s in rows)))


def config_digest(config: dict[str, Any]) -> str:
    """Return the digest of everything in a resolved config that can change results; the store's folder cannot."""
    kept = {k: v for k, v in config.items() if k not in _NOT_IN_DIGEST and (v is not None or k not in _WHEN_SET)}
    return digest(relocated(kept, f"{config.get('store')}/", "store://"))


def card_digest(config: dict[str, Any]) -> str:
    """Return the digest of everything in a resolved config that can change a teacher card."""
    return digest(config_digest(config), {k: config.get(k) for k in _OF_CARD})


def from_environment(config: dict[str, Any], written: dict[str, Any], at: str = "") -> dict[str, Any]:
    """Return, by dotted key, values from environment variables in a resolved config that can change results.

    ``written`` is the same config with unresolved references. Values that look like a password are hidden.
    """
    out: dict[str, Any] = {}
    for key, value in written.items():
        here, found = f"{at}{key}", config.get(key)
        if not at and key in (*_NOT_IN_DIGEST, "data_folder"):
            continue
        if isinstance(value, dict) and isinstance(found, dict):
            out |= from_environment(found, value, f"{here}.")
        elif isinstance(value, str) and "${oc.env:" in value:
            out[here] = hidden(found) if isinstance(found, str) else found
    return out


def flips(before: Sequence[Graded], after: Sequence[Graded]) -> dict[str, int]:
    """Return the numbers of test items that were ``fixed``, ``broken`` and ``kept`` right.

    Items with a grader fault before or after are not counted. With several answers the majority counts.
    """
    was = {i: majority(answers) for i, answers in by_problem(before).items()}
    pairs = Counter(
        (was[i], majority(answers))
        for i, answers in by_problem(after).items()
        if isinstance(p := answers[0].attempt.problem, HeldOutProblem) and p.role != "dev" and i in was
    )
    return {"fixed": pairs[False, True], "broken": pairs[True, False], "kept": pairs[True, True]}


def round_dict(record: RoundRecord, before: Sequence[Graded]) -> dict[str, Any]:
    """Return the summary of one round."""
    dropped = Counter(r.reason for r in record.synthesis.rejections)
    dropped.update(f"diagnose_{d.rejection.reason}" for d in record.diagnoses if d.rejection is not None)
    dropped.update(f"cluster_{r.reason}" for r in record.error_map.rejections)
    return {
        "round": record.round,
        "bad_cases": len(record.diagnoses),
        "unreadable": sum(g.verdict == "unreadable" for g in record.graded),
        "error_types": [{"name": t.name, "stable": t.label, "size": len(t.members)} for t in record.error_map.types],
        **({"second_opinion": opinion_dict(record.opinion)} if record.opinion.n else {}),
        "pooled_validation_share": record.refined.pooled_share,
        "synthesized": len(record.synthesis.candidates),
        "dropped": dict(sorted(dropped.items())),
        "refined": len(record.refined.kept),
        "tied": record.refined.tied,
        "trained_examples": record.trained.examples,
        "trained_steps": record.trained.steps,
        "trained_tokens": record.trained.tokens,
        "scores": score_dict(record.scores),
        **flips(before, record.evaluation),
        "instructor": {k: _rounded(u) for k, u in usages(record).items() if u.requests},
        "seconds": record.seconds,
        "devices": record.devices,
        **({"served_vs_merged": both_dict(record.served_vs_merged)} if record.served_vs_merged else {}),
    }


def both_dict(rows: Sequence[BothAnswers]) -> dict[str, int]:
    """Return how many answers of a served LoRA equal those of its merged weights."""
    return {
        "n": len(rows),
        "equal_texts": sum(r.served == r.merged for r in rows),
        "equal_verdicts": sum(r.served_verdict == r.merged_verdict for r in rows),
        "right_served": sum(r.served_verdict == "right" for r in rows),
        "right_merged": sum(r.merged_verdict == "right" for r in rows),
    }


def opinion_dict(opinion: Opinion) -> dict[str, Any]:
    """Return the agreement of a second instructor, without the pairs."""
    return {k: v for k, v in dataclasses.asdict(opinion).items() if k not in ("pairs", "usage")}


def machine() -> dict[str, Any]:
    """Return the machine behind the numbers: they are exact only for the same processor type and versions."""
    return {
        "python": platform.python_version(),
        "processor": platform.machine(),
        "platform": platform.system(),
        **{p: version(p) for p in _PACKAGES},
    }


def git_commit() -> str:
    """Return the commit of the source tree, with ``+dirty`` if it was changed; empty outside a checkout."""

    def git(*args: str) -> str:
        here = Path(__file__).parent
        out = subprocess.run(["git", *args], cwd=here, capture_output=True, text=True, check=False)  # noqa: S603, S607
        return out.stdout.strip() if out.returncode == 0 else ""

    commit = git("rev-parse", "HEAD")
    return commit + ("+dirty" if commit and git("status", "--porcelain", "--untracked-files=no") else "")


def instructor_dict(records: Sequence[RoundRecord]) -> dict[str, Any]:
    """Return the requests, tokens and dollars that the result needed (not what this invocation spent)."""
    return _rounded(sum((u for r in records for u in usages(r).values()), Usage()))


def usages(record: RoundRecord) -> dict[str, Usage]:
    """Return the instructor usage of each stage of a round."""
    return {
        "diagnose": sum((d.usage for d in record.diagnoses), Usage()),
        "cluster": record.error_map.usage,
        "second_opinion": record.opinion.usage,
        "synthesize": record.synthesis.usage,
    }


def _rounded(usage: Usage) -> dict[str, Any]:
    return {**dataclasses.asdict(usage), "usd": round(usage.usd, 6)}
