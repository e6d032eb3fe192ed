"""Files without a loader: the grader can still read every gold answer."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from sei.grading import MathGrader
from sei.records import Problem

GRADER = MathGrader()
Row = dict[str, Any]


def options(row: Row) -> tuple[str, ...]:
    return tuple(f"({o[0]['aoVal']}) {o[0]['content']}" for o in row["answer_option_list"])


def tal(row: Row) -> tuple[str, str, tuple[str, ...]]:
    return row["problem"], row["answer_value"], options(row)


def agieval(row: Row) -> tuple[str, str, tuple[str, ...]]:
    return row["question"], row["label"] or row["answer"], tuple(row["options"] or ())


def plain(row: Row) -> tuple[str, str, tuple[str, ...]]:
    answer = row["answer"]
    return row["question"], ", ".join(map(str, answer)) if isinstance(answer, list) else str(answer), ()


def theorem(row: Row) -> tuple[str, str, tuple[str, ...]]:
    return row["Question"], str(row["Answer"]), ()


# file, rows, function that reads a row
FILES: list[tuple[str, int, Callable[[Row], tuple[str, str, tuple[str, ...]]]]] = [
    ("tal_scq5k/en/train", 3000, tal),
    ("tal_scq5k/cn/train", 3000, tal),
    ("tal_scq5k/cn/test", 2000, tal),
    ("agieval/gaokao-mathqa/test", 351, agieval),
    ("agieval/gaokao-mathcloze/test", 118, agieval),
    ("agieval/aqua-rat/test", 254, agieval),
    ("fresh_gaokao_math_2023/test", 30, plain),
    ("gaokao2023_math_en/test", 385, plain),
    ("gaokao_bench_zh/math_i_mcqs", 214, plain),
    ("gaokao_bench_zh/math_ii_mcqs", 218, plain),
    ("gaokao_bench_zh/math_i_fill_in", 81, plain),
    ("gaokao_bench_zh/math_ii_fill_in", 86, plain),
    ("svamp/all", 1000, lambda r: (f"{r['Body']} {r['Question']}", str(r["Answer"]), ())),
    ("aqua_rat/validation", 254, lambda r: (r["question"], r["correct"], tuple(r["options"]))),
    ("theoremqa/test", 800, theorem),
]
# rows whose gold answer is empty or garbled in the file
BROKEN = {"gaokao2023_math_en/test": {168, 193}, "gaokao_bench_zh/math_i_fill_in": {69}}


@pytest.mark.parametrize(("name", "rows", "read"), FILES, ids=[f[0] for f in FILES])
def test_every_gold_answer_grades_itself_right(shared_data, name, rows, read):
    with gzip.open(shared_data / f"{name}.jsonl.gz", "rt", encoding="utf-8", newline="\n") as f:
        found = [json.loads(line) for line in f]
    assert len(found) == rows
    refused = {}
    for number, row in enumerate(found, 1):
        question, answer, choices = read(row)
        problem = Problem(id=str(number), question=question, answer=answer, options=choices)
        if GRADER.grade(problem, f"The work.\n\\boxed{{{answer}}}").verdict != "right":
            refused[number] = answer
    assert set(refused) == BROKEN.get(name, set()), refused
