"""Scores and samples in the files of lm-evaluation-harness, so that its tools can read and compare them.

One task per held-out set. Its two filters are ours: ``strict-match`` is the answer format asked for,
``flexible-extract`` the last stated answer. Faults of the grader are left out and counted in ``n-samples``.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sei.records import Graded, HeldOutProblem
from sei.store import write_atomic

STRICT, FLEXIBLE = "strict-match", "flexible-extract"


def write_lm_eval(
    folder: Path, graded: Sequence[Graded], prompts: Sequence[str], *, model: str, digest: str, commit: str, shots: int
) -> None:
    """Write ``results_<date>.json`` and one ``samples_<task>_<date>.jsonl`` per held-out set.

    ``prompts``: one per graded attempt, as the model was asked. ``model`` names the target model, ``digest`` its
    weights, ``shots`` the few-shot examples it was shown.
    """
    now = datetime.datetime.now(datetime.UTC)
    stamp = now.strftime("%Y-%m-%dT%H-%M-%S.%f")
    tasks: dict[str, list[Graded]] = defaultdict(list)
    asked_as: dict[str, str] = {}
    for g, prompt in zip(graded, prompts, strict=True):
        if isinstance(g.attempt.problem, HeldOutProblem):
            tasks[g.attempt.problem.set].append(g)
            asked_as[g.attempt.problem.id] = prompt
    results: dict[str, Any] = {
        "results": {t: _scores(t, [g for g in rows if not g.fault]) for t, rows in tasks.items()},
        "group_subtasks": {t: [] for t in tasks},
        "configs": {t: _config(t, shots) for t in tasks},
        "versions": dict.fromkeys(tasks, 1.0),
        "n-shot": dict.fromkeys(tasks, shots),
        "higher_is_better": {t: {"exact_match": True} for t in tasks},
        "n-samples": {
            t: {"original": len(rows), "effective": sum(not g.fault for g in rows)} for t, rows in tasks.items()
        },
        "config": {"model": "sei", "model_args": f"pretrained={model},weights={digest}"},
        "git_hash": commit,
        "date": now.timestamp(),
        "task_hashes": {
            t: _hash("".join(_hash(g.attempt.problem.question) for g in rows)) for t, rows in tasks.items()
        },
        "model_source": "sei",
        "model_name": model,
        "model_name_sanitized": model.replace("/", "__"),
    }
    write_atomic(folder / f"results_{stamp}.json", (json.dumps(results, indent=2) + "\n").encode())
    for task, rows in tasks.items():
        lines = [s for i, g in enumerate(rows) if not g.fault for s in _samples(i, g, asked_as[g.attempt.problem.id])]
        body = "".join(json.dumps(s, ensure_ascii=False) + "\n" for s in lines)
        write_atomic(folder / f"samples_{task}_{stamp}.jsonl", body.encode("utf-8", "surrogatepass"))


def _scores(task: str, rows: Sequence[Graded]) -> dict[str, Any]:
    out: dict[str, Any] = {"name": task, "alias": task, "sample_len": len(rows)}
    for name, right in (
        (STRICT, [g.strict_verdict == "right" for g in rows]),
        (FLEXIBLE, [g.verdict == "right" for g in rows]),
    ):
        n = len(right)
        share = sum(right) / n if n else 0.0
        out[f"exact_match,{name}"] = share
        out[f"exact_match_stderr,{name}"] = math.sqrt(share * (1 - share) / (n - 1)) if n > 1 else "N/A"
    return out


def _config(task: str, shots: int) -> dict[str, Any]:
    return {
        "task": task,
        "output_type": "generate_until",
        "num_fewshot": shots,
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "filter_list": [{"name": STRICT}, {"name": FLEXIBLE}],
        "generation_kwargs": {"do_sample": False},
    }


def _samples(i: int, g: Graded, prompt: str) -> list[dict[str, Any]]:
    p = g.attempt.problem
    doc = {"id": p.id, "question": p.question, "answer": p.answer, "solution": p.solution, "options": list(p.options)}
    common = {
        "doc_id": i,
        "doc": doc,
        "target": p.answer,
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {"do_sample": False}}},
        "resps": [[g.attempt.output]],
        "metrics": ["exact_match"],
        "doc_hash": _hash(json.dumps(doc, sort_keys=True)),
        "prompt_hash": _hash(prompt),
        "target_hash": _hash(p.answer),
    }
    strict = g.extracted if g.strict_verdict != "unreadable" else "[invalid]"
    return [
        {**common, "filter": STRICT, "filtered_resps": [strict], "exact_match": float(g.strict_verdict == "right")},
        {**common, "filter": FLEXIBLE, "filtered_resps": [g.extracted or "[invalid]"],
         "exact_match": float(g.verdict == "right")},
    ]  # fmt: skip


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
