"""The same outputs in both graders: gold solutions, and published outputs of models."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.lm_eval import harness
from sei.grading.gold import last_box

GSM8K, MATH = "gsm8k", "math"
FILTERS = {GSM8K: ("strict-match", "flexible-extract"), MATH: ("hendrycks", "minerva", "math_verify")}
OUTPUTS = {
    GSM8K: ("gsm8k-openai", "mathcoder", "mr-gsm8k", "processbench-gsm8k", "tora"),
    MATH: ("processbench-math",),
}


@dataclass(frozen=True, kw_only=True)
class Both:
    """One output in both graders; ``theirs`` has the score and the answer of each of the harness's filters."""

    row: str
    gold: str
    output: str
    verdict: str
    extracted: str
    theirs: dict[str, tuple[bool, str]]


def gold(data: Path, name: str, n: int) -> list[dict[str, Any]]:
    """Return test rows with their own solution as output, the first by hash.

    The solution of a MATH row gets the closing sentence of minerva_math's prompt.
    """
    where = data / ("gsm8k/main" if name == GSM8K else "math") / "test.jsonl.gz"
    rows = list(_gzipped(where))
    text = "question" if name == GSM8K else "problem"
    rows.sort(key=lambda r: hashlib.sha256(r[text].encode()).hexdigest())
    return [_row(i, r, r["answer"] if name == GSM8K else None) for i, r in enumerate(rows[:n])]


def collected(data: Path, name: str, n: int | None = None) -> list[dict[str, Any]]:
    """Return outputs of models with the gold solutions of their problems."""
    found = []
    for source in OUTPUTS[name]:
        for r in _gzipped(data / "badcases" / f"{source}.jsonl.gz"):
            own = r["dataset"] == name and r["gold_solution"] and not r["options"]
            if own and ("####" in r["gold_solution"] or "\\boxed" in r["gold_solution"]):
                both = {"question": r["question"], "answer": r["gold_solution"]}
                other = {"problem": r["question"], "solution": r["gold_solution"]}
                found.append(_row(r["id"], both if name == GSM8K else other, r["model_output"]))
    return found[:n]


def _row(at: Any, row: dict[str, Any], output: str | None) -> dict[str, Any]:
    if output is None:
        found = last_box(row["solution"])
        output = f"{row['solution']}\nFinal Answer: The final answer is ${found}$. I hope it is correct."
    return {**row, "row": str(at), "output": output}


def _gzipped(file: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8", newline="\n") as f:
        yield from map(json.loads, f)


def both(rows: list[dict[str, Any]], name: str, folder: Path) -> list[Both]:
    """Grade every output with both programs, each through its own command."""
    mine = _ours(rows, name, folder)
    file = harness.write_rows(folder / "rows.jsonl", rows)
    tasks = {"gsm8k": "gsm8k/gsm8k"}
    if name == MATH:
        tasks = {
            "hendrycks": "hendrycks_math/hendrycks_math_algebra",
            "minerva": "minerva_math/minerva_math_algebra",
        }
    for task, shipped in tasks.items():
        harness.write_task(folder / "tasks", f"{task}_given", shipped, {"test": file})
    names = [f"{t}_given" for t in tasks]
    harness.run(["experiments.lm_eval.harness", folder / "tasks", file, folder / "theirs", *names])
    theirs: dict[str, dict[str, tuple[bool, str]]] = {}
    for task in tasks:
        for s in harness.samples(folder / "theirs", f"{task}_given"):
            at = theirs.setdefault(s["doc"]["row"], {})
            own = s["filter"] if name == GSM8K else task
            at[own] = bool(s["exact_match"]), s["filtered_resps"][0] if name == GSM8K else ""
            if "math_verify" in s:
                at["math_verify"] = bool(s["math_verify"]), ""
    return [
        Both(
            row=r["row"], gold=m["gold"], output=r["output"], verdict=m["verdict"], extracted=m["extracted"] or "",
            theirs=theirs[r["row"]],
        )
        for r, m in zip(rows, mine, strict=True)
    ]  # fmt: skip


def _ours(rows: list[dict[str, Any]], name: str, folder: Path) -> list[dict[str, Any]]:
    solution = "answer" if name == GSM8K else "solution"
    asked = [
        {"id": r["row"], "question": r.get("question") or r["problem"], "gold": r[solution], "output": r["output"]}
        for r in rows
    ]
    file, out = harness.write_rows(folder / "outputs.jsonl", asked), folder / "graded.jsonl"
    command = [sys.executable, "-m", "sei.grading", str(file), "--out", str(out)]
    done = subprocess.run(command, cwd=harness.ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise harness.NotMadeError(f"sei.grading: {done.stderr.strip()[-500:]}")
    return harness.rows_in(out)
