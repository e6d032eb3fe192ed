"""The page's data on one round: bad cases, points of the map, synthetic examples, and dropped items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sei.report.flow import SOLVED, UNNAMED, UNREADABLE
from sei.report.page.files import Files, cut

_EXAMPLES = 40  # per reason for dropping and round
_PLACE = {"right": SOLVED, "wrong": UNNAMED, "unreadable": UNREADABLE}


class Texts:
    """The pool problems of a run, each stored once for all rounds."""

    def __init__(self) -> None:
        self.problems: list[dict[str, str]] = []
        self._places: dict[str, int] = {}

    def place(self, problem: dict[str, Any]) -> int:
        """Return the index of a problem in ``problems``; a new problem is added."""
        if problem["id"] not in self._places:
            self._places[problem["id"]] = len(self.problems)
            shown = {k: cut(problem.get(k)) for k in ("id", "question", "answer", "solution")}
            options = "\n".join(str(o) for o in problem.get("options") or ())
            self.problems.append({**shown, "question": f"{shown['question']}\n{cut(options)}".rstrip()})
        return self._places[problem["id"]]

    def id_of(self, place: int) -> str:
        """Return the id of the problem at an index."""
        return self.problems[place]["id"]


def label(error_type: dict[str, Any]) -> str:
    """Return an error type's name over all rounds, or its own name if it has no other."""
    return str(error_type.get("stable") or error_type["name"])


_READ = (
    *("error_types.json", "diagnoses.jsonl", "cluster_map.jsonl", "refined.jsonl", "attempts.jsonl"),
    *("dropped.jsonl", "withheld.jsonl"),
)


def read_round(files: Files, number: int, texts: Texts, *, whole: bool = True) -> dict[str, Any]:
    """Return the cases, points, synthetic examples and dropped items of a round, and the place of each pool problem.

    ``whole`` is false for a round that ended after its error types.
    """
    names = [f"round_{number}/{name}" for name in _READ]
    read = files.once(f"round/{number}/{whole}", names, lambda: _read(files, number, whole=whole))
    return {**read, "cases": [{**c, "problem": texts.place(c["problem"])} for c in read["cases"]]}


def _read(files: Files, number: int, *, whole: bool) -> dict[str, Any]:
    """Return the same with whole problems in its cases, so that it does not depend on other rounds."""
    home = f"round_{number}"
    types = files.json(f"{home}/error_types.json") or []
    stable = {t["name"]: label(t) for t in types}
    type_of = {m["problem"]: label(t) for t in types for m in t["members"]}
    part_of = {i: part for t in types for part in ("exemplars", "validation") for i in t[part]}
    diagnoses = files.rows(f"{home}/diagnoses.jsonl", "bad_case")
    cases = [_case(d, number, type_of, part_of) for d in diagnoses]
    at = {c["problem"]["id"]: i for i, c in enumerate(cases)}
    points = files.rows(f"{home}/cluster_map.jsonl", "problem_id", "error_type", "x", "y")
    refined = files.rows(f"{home}/refined.jsonl", "example", "kept") if whole else []
    places = {
        g["attempt"]["problem"]["id"]: type_of.get(g["attempt"]["problem"]["id"], _PLACE[g["verdict"]])
        for g in files.rows(f"{home}/attempts.jsonl", "attempt", "verdict")
    }
    return {
        "places": places,
        "cases": cases,
        "points": [
            [p["x"], p["y"], at[p["problem_id"]], stable.get(p["error_type"], p["error_type"])]
            for p in points
            if p["problem_id"] in at
        ],
        "synthetic": [_synthetic(s, number, stable) for s in refined],
        "dropped": _grouped(number, _dropped(files, home, diagnoses, whole=whole)),
    }


def _case(diagnosis: dict[str, Any], number: int, type_of: dict[str, str], part_of: dict[str, str]) -> dict[str, Any]:
    case, keyphrase = diagnosis["bad_case"], diagnosis.get("keyphrase") or {}
    refused = diagnosis.get("rejection") or {}
    name = case["problem"]["id"]
    return {
        "round": number,
        "problem": case["problem"],
        "output": cut(case["output"]),
        "extracted": cut(case["extracted"]),
        "phrase": cut(keyphrase.get("phrase")),
        "refused": cut(refused.get("reason")),
        "finding": keyphrase.get("finding"),
        "type": type_of.get(name, ""),
        "part": part_of.get(name, ""),
    }


def _synthetic(row: dict[str, Any], number: int, stable: dict[str, str]) -> dict[str, Any]:
    example = row["example"]
    name = example.get("error_type", "")
    return {
        "round": number,
        **{k: cut(example.get(k)) for k in ("question", "solution", "answer")},
        "type": stable.get(name, name),
        "sources": example.get("source_ids", []),
        "score": row.get("score"),
        "kept": row["kept"],
        "reason": cut(row.get("reason")),
        "flaw": cut(example.get("flaw")),
    }


def _dropped(files: Files, home: str, diagnoses: list[dict[str, Any]], *, whole: bool) -> Iterator[dict[str, Any]]:
    for d in diagnoses:
        if d.get("rejection"):
            problem = d["bad_case"]["problem"]
            yield {"stage": "diagnose", **d["rejection"], "subject": problem["id"]}
    yield from files.rows(f"{home}/dropped.jsonl", "stage", "reason")
    if whole:
        yield from files.rows(f"{home}/withheld.jsonl", "stage", "reason")


def _grouped(number: int, rows: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one entry per stage and reason with its count and first examples, most frequent first."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["stage"], row["reason"]].append(row)
    return [
        {
            "round": number,
            "stage": stage,
            "reason": reason,
            "count": len(found),
            "examples": [[cut(r.get("subject")), cut(r.get("detail"))] for r in found[:_EXAMPLES]],
        }
        for (stage, reason), found in sorted(groups.items(), key=lambda kv: -len(kv[1]))
    ]
