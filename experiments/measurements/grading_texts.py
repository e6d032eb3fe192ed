"""Grades published solutions as model outputs: ``python -m experiments.measurements.grading_texts FOLDER``.

FOLDER contains data sets as files (README). Each solution ends in its own words, so the grader has to find the answer
in real text: explanations of AQuA, SAT, TAL-SCQ (English and Chinese) and GAOKAO with their options, and MATH solutions
without their box. ``first`` puts the letter before the explanation, as these sets do. The rest are near misses: every
gold answer against others of the same set in a box, which are wrong unless the two are equal.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sei.grading import MathGrader
from sei.grading.extract import boxes
from sei.records import Problem

Text = tuple[str, Problem, str]  # source, problem, output


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a gzipped file."""
    with gzip.open(path, "rt", encoding="utf-8") as f:
        yield from map(json.loads, f)


def problem(question: str, answer: str, options: tuple[str, ...] = ()) -> Problem:
    """Return a problem with an empty id."""
    return Problem(id="x", question=question, answer=answer.strip(), options=options)


def texts(data: Path) -> Iterator[Text]:
    """Yield all texts of all sources."""
    for r in rows(data / "aqua_rat/test.jsonl.gz"):
        yield "AQuA", problem(r["question"], r["correct"], tuple(r["options"])), r["rationale"]
    for r in rows(data / "agieval/sat-math/test.jsonl.gz"):
        yield "SAT", problem(r["question"], r["label"], tuple(r["options"])), r["other"]["solution"]
    for name in ("math_i_mcqs", "math_ii_mcqs"):
        for r in rows(data / f"gaokao_bench_zh/{name}.jsonl.gz"):
            p = problem(r["question"], "".join(r["answer"]))
            yield "GAOKAO", p, r["analysis"]
            yield "GAOKAO, first", p, f"【答案】{p.answer}\n【解析】{r['analysis']}"
    for language, says in (("en", "The answer is {}.\n"), ("cn", "答案：{}\n")):
        for r in rows(data / f"tal_scq5k/{language}/test.jsonl.gz"):
            options = tuple(f"({o[0]['aoVal']}) {o[0]['content'].strip()}" for o in r["answer_option_list"])
            analysis = "\n".join(r["answer_analysis"] or ()).strip()
            if len(options) > 1 and analysis:
                p = problem(r["problem"], r["answer_value"], options)
                yield f"TAL-SCQ {language}, first", p, says.format(p.answer) + analysis
    for r in rows(data / "math/test.jsonl.gz"):
        found = boxes(r["solution"])
        if found and found[-1][1] and len(r["solution"]) - found[-1][0] < len(found[-1][1]) + 88:
            at, gold = found[-1][0], str(found[-1][1])
            before, after = r["solution"][:at], r["solution"][at + len(r"\boxed{") + len(gold) + 1 :]
            yield "MATH, no box", problem(r["problem"], gold), re.sub(r"\\boxed\s*", "", before) + gold + after


def near_misses(data: Path, n: int, seed: int) -> Iterator[tuple[Problem, str]]:
    """Yield gold answers of MATH with other answers of similar length in a box."""
    golds = sorted(
        {str(b[-1][1]) for r in rows(data / "math/test.jsonl.gz") if (b := boxes(r["solution"])) and b[-1][1]}
    )
    r = random.Random(seed)
    for _ in range(n):
        gold = r.choice(golds)
        other = min((g for g in r.sample(golds, 20) if g != gold), key=lambda g: abs(len(g) - len(gold)))
        yield problem("", gold), rf"So it is $\boxed{{{other}}}$."


def main() -> None:
    """Print counts by source, and near misses graded as right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--near", type=int, default=3_000)
    args = parser.parse_args()
    grader, counts = MathGrader(), dict[str, Counter[str]]()
    for source, p, output in texts(args.folder):
        found = grader.grade(p, output)
        counts.setdefault(source, Counter())["fault" if found.fault else found.verdict] += 1
    for source, by_verdict in counts.items():
        n = by_verdict.total()
        print(f"{source:<20} n={n:>5}  right {by_verdict['right'] / n:6.1%}  {dict(by_verdict)}")
    called = Counter(grader.grade(p, output).verdict for p, output in near_misses(args.folder, args.near, 0))
    print(f"near misses          n={args.near:>5}  {dict(called)}")


if __name__ == "__main__":
    main()
