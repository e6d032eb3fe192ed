"""The run folder: plain copies of results in the store, for people and scripts, never links."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from sei.records import RoundRecord
from sei.stages.review import review_text
from sei.store import write_atomic


def write_json(path: Path, data: Any) -> None:
    """Write formatted JSON, completely or not at all."""
    write_atomic(path, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())


def write_rows(path: Path, rows: Sequence[Any]) -> None:
    """Write records as JSONL, one per line."""
    adapters: dict[type, pydantic.TypeAdapter[Any]] = {t: pydantic.TypeAdapter(t) for t in {type(r) for r in rows}}
    lines = [adapters[type(r)].dump_json(r).decode() for r in rows]
    write_atomic(path, "".join(line + "\n" for line in lines).encode())


def write_round(folder: Path, record: RoundRecord, report: dict[str, Any]) -> None:
    """Write the results of one round below ``round_<n>/``; ``dataset.py`` writes its training data."""
    home = folder / f"round_{record.round}"
    write_errors(home, record)
    write_rows(home / "synthetic.jsonl", record.synthesis.candidates)
    write_rows(home / "dropped.jsonl", (*record.error_map.rejections, *record.synthesis.rejections))
    write_rows(home / "refined.jsonl", record.refined.scored)
    write_rows(home / "withheld.jsonl", record.withheld)
    write_rows(home / "training.jsonl", record.trained.curve)
    write_rows(home / "evaluation.jsonl", record.evaluation)
    write_json(home / "report.json", report)


def write_merged(folder: Path, record: RoundRecord, report: dict[str, Any]) -> None:
    """Write the answers of served adapters beside those of merged weights, and the report with their counts."""
    home = folder / f"round_{record.round}"
    write_rows(home / "served_vs_merged.jsonl", record.served_vs_merged)
    write_json(home / "report.json", report)


def write_errors(home: Path, record: RoundRecord) -> None:
    """Write the attempts of a round and the errors found in them."""
    write_rows(home / "attempts.jsonl", record.graded)
    write_rows(home / "bad_cases.jsonl", [d.bad_case for d in record.diagnoses])
    write_rows(home / "diagnoses.jsonl", record.diagnoses)
    write_rows(home / "keyphrases.jsonl", [d.keyphrase for d in record.diagnoses if d.keyphrase is not None])
    types = [
        {
            "name": t.name,
            "stable": t.label,
            "size": len(t.members),
            "exemplars": [b.problem.id for b in t.exemplars],
            "validation": [b.problem.id for b in t.validation],
            "members": [{"problem": k.bad_case.problem.id, "keyphrase": k.phrase} for k in t.members],
        }
        for t in record.error_map.types
    ]
    write_json(home / "error_types.json", types)
    write_rows(home / "cluster_map.jsonl", record.error_map.points)
    write_atomic(home / "error_types.yaml", review_text(record.error_map).encode())
    if record.opinion.n:
        write_rows(home / "second_opinion.jsonl", record.opinion.pairs)
