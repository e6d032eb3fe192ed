"""Run folders made by the program's own writers, with any size and any text."""

from __future__ import annotations

import dataclasses
import json
import random
import re
from pathlib import Path
from typing import Any

from sei.records import (
    Attempt,
    BadCase,
    Checkpoint,
    Diagnosis,
    ErrorMap,
    ErrorType,
    Finding,
    Graded,
    Keyphrase,
    MapPoint,
    PoolProblem,
    RefinedSet,
    Rejection,
    RoundRecord,
    Score,
    Scored,
    Synthesis,
    SyntheticExample,
    Trained,
    TrainingExample,
)
from sei.report.flow import flows
from sei.report.folder import write_json, write_round
from sei.report.summary import round_dict, score_dict
from tests.builders import error_type, graded, problem

HOSTILE = "</script><img src=x onerror=alert(1)>&amp;<!--\u2028\u202e\x1b[31m'\"`${7*7}\\"
STORY = "Wendy has {n} pencils and gives {m} of them to her brother. How many pencils does she have left, in all? "


def data_of(page: Path) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    return json.loads(found[1])


def score(role: str, correct: int, n: int = 200) -> Score:
    low, high = max(0.0, correct / n - 0.06), min(1.0, correct / n + 0.06)
    return Score(role=role, n=n, correct=correct, unreadable=3, grader_errors=0, accuracy=correct / n,
                 accuracy_strict=correct / n, macro=None, ci95=(low, high))  # fmt: skip


def scores(correct: int) -> dict[str, Score]:
    return {
        "dev_set": score("dev", correct),
        "test_set": score("in_domain", correct),
        "far": score("out_of_domain", 50),
    }


def make_record(number: int, cases: int, pool: int, types: int = 12, text: str = "") -> RoundRecord:
    """Return a round with ``cases`` bad cases and a tenth as many synthetic examples; ``text`` is in every text."""
    draw = random.Random(number)
    problems = [
        PoolProblem(
            id=f"p{i}", question=text + STORY.format(n=i, m=2) * 2, answer=str(i), solution=f"{i}-2\n#### {text}"
        )
        for i in range(pool)
    ]
    wrong = sorted(draw.sample(range(len(problems)), cases))
    bad = {
        i: BadCase(problem=problems[i], output=f"{text}{i}+2={i + 2}\n" * 4, extracted=f"{i + 2}{text}") for i in wrong
    }
    phrases = {
        i: Keyphrase(
            bad_case=bad[i], phrase=f"added in step {i % 7}{text}", finding=Finding(step=1, relation="wrong_step")
        )
        for i in wrong[1:]
    }
    name_of = {i: f"type {draw.randrange(types) + number}{text}" for i in phrases}
    made = [
        ErrorType(
            name=name, members=tuple(phrases[i] for i in phrases if name_of[i] == name), exemplars=(), validation=()
        )
        for name in sorted(set(name_of.values()))
    ]
    points = tuple(
        MapPoint(problem_id=f"p{i}", phrase=phrases[i].phrase, error_type=name_of[i], x=draw.random(), y=draw.random())
        for i in phrases
    )
    refusal = Rejection(stage="diagnose", reason="no_divergence", subject=f"p{wrong[0]}", detail=text)
    diagnoses = tuple(
        Diagnosis(bad_case=bad[i], keyphrase=phrases.get(i), rejection=None if i in phrases else refusal) for i in wrong
    )
    candidates = tuple(
        SyntheticExample(
            id=f"s{i}",
            question=f"{text}New {i}",
            solution=f"1+1\n{text}",
            answer="2",
            error_type=made[0].name,
            flaw="slip" if i == 1 else "",
        )
        for i in range(max(2, cases // 10))
    )
    kept = tuple(
        Scored(example=c, score=i // 2 / 3, kept=i % 2 == 0, reason=f"top half{text}") for i, c in enumerate(candidates)
    )
    dropped = [
        Rejection(stage="synthesize", reason=r, subject=f"t{text}", detail=text * 2) for r in ("rouge_l", "test_ngram")
    ]
    return RoundRecord(
        round=number,
        graded=tuple(
            Graded(
                attempt=Attempt(problem=p, output=bad[i].output if i in bad else str(i), finished=True),
                verdict="wrong" if i in bad else "right",
                strict_verdict="wrong" if i in bad else "right",
            )
            for i, p in enumerate(problems)
        ),
        diagnoses=diagnoses,
        error_map=ErrorMap(types=tuple(made), points=points),
        synthesis=Synthesis(candidates=candidates, rejections=tuple(dropped * max(1, cases // 4))),
        refined=RefinedSet(scored=kept),
        training=(TrainingExample(id="s0", question="q", solution="s", source="synthetic"),),
        trained=Trained(checkpoint=Checkpoint(digest="x"), curve=(), steps=9, tokens=90, examples=1),
        evaluation=(),
        scores=scores(100 + 20 * number),
        seconds={"attempts": 71.5, "finetune": 3.25},
    )


def make_run(folder: Path, *cases: int, text: str = "", finished: bool = True, **base: Any) -> Path:
    """Write a run folder with one round for each number of bad cases, as a run does; ``base``: parts of its report."""
    records = [make_record(i, n, max(cases) * 5 // 4, text=text) for i, n in enumerate(cases, 1)]
    write_json(folder / "base" / "report.json", {"scores": score_dict(scores(100)), **base})
    for r in records:
        write_round(folder, r, round_dict(r, ()))
    write_json(folder / "error_type_flow.json", [dataclasses.asdict(f) for f in flows(records)])
    if finished:
        summary = {
            "experiment": f"example{text}",
            "seed": 0,
            "baseline": score_dict(scores(100)),
            "rounds": [round_dict(r, ()) for r in records],
            "stopped": "rounds",
            "best_round": len(records),
            "instructor": {"requests": 1234, "input_tokens": 5, "output_tokens": 6, "usd": 1.5},
        }
        write_json(folder / "summary.json", summary)
    return folder


def small_record(number: int, types: dict[str, list[int]], n: int = 8, unreadable: int = -1) -> RoundRecord:
    """Return a round with the given problems, by number, as the members of each type."""
    wrong = {i for members in types.values() for i in members}
    verdicts = ["wrong" if i in wrong else "unreadable" if i == unreadable else "right" for i in range(n)]
    made = (error_type(name, members) for name, members in types.items())
    return RoundRecord(
        round=number,
        graded=tuple(graded(problem(i), v) for i, v in enumerate(verdicts)),
        diagnoses=(),
        error_map=ErrorMap(types=tuple(made)),
        synthesis=Synthesis(candidates=(), rejections=()),
        refined=RefinedSet(scored=()),
        training=(),
        trained=Trained(checkpoint=Checkpoint(digest="x"), curve=(), steps=0, tokens=0, examples=0),
        evaluation=(),
        scores={},
    )
