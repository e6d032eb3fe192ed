"""Does the symbolic instructor find the step at which real models go wrong?

Run as ``SEI_DATA=DATA python -m experiments.measurements.diagnosis``. DATA contains real wrong solutions of GSM8K
problems under ``badcases/`` and GSM8K itself under ``gsm8k/``. The instructor sees question, reference solution and
wrong output, without deliberate vagueness (``flaw_rate=0``). A missing reference is looked up in GSM8K by its question.

**Which step.** A person's ``error_step`` counts the parts into which the data set splits an output (lines in MR-GSM8K,
paragraphs in ProcessBench); the instructor counts equations and stated numbers. Each part is located in the output, and
an equation belongs to the last part that begins on or before its line. An omitted step counts as the last equation.
This uses the split, but none of the human marks.

**Comparisons.** *First difference*: the first equation with another value than the reference's equation at the same
position, with both texts read in the same way; if one has fewer equations, the first additional one, or the last. *In
order*: the same on annotated or plainly written equations only, which is how the instructor first diagnosed all
attempts. *First part* and *last part* need no reading. An output that a rule cannot read counts as a miss.

All choices were made on one half of the rows (even SHA-256 of the id); the other half is reported.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sei.compare.significance import mcnemar
from sei.instructors.symbolic.by_value import first_departure, read_attempt, read_reference
from sei.instructors.symbolic.diagnose import counted_steps
from sei.instructors.symbolic.in_order import first_difference
from sei.instructors.symbolic.instructor import SymbolicInstructor
from sei.instructors.symbolic.worked import Step, read_steps
from sei.records import BadCase, Diagnosis, Finding, PoolProblem
from sei.statistics import Z95, wilson

FILES = ("gsm8k-openai", "mr-gsm8k", "processbench-gsm8k", "tora", "mathcoder")
EXAMPLES = 2  # examples per relation


@dataclass(frozen=True, kw_only=True)
class Case:
    """A wrong output of a real model; ``error_step`` counts ``parts`` from 1 and is ``None`` if nobody marked it."""

    id: str
    source: str
    kind: str
    question: str
    reference: str
    output: str
    parts: tuple[str, ...]
    error_step: int | None

    @property
    def chooses(self) -> bool:
        """Say whether the case belongs to the half for choosing rules."""
        return hashlib.sha256(self.id.encode()).digest()[0] % 2 == 0

    def part_of(self, line: int) -> int:
        """Return the part, counted from 1, of a line of the output."""
        lines = self.output.split("\n")
        end = sum(len(text) + 1 for text in lines[: line + 1]) - 1
        at, begun = 0, 0
        for part in self.parts:
            at = self.output.index(part, at)
            begun += at < max(end, 1)
            at += len(part)
        return max(1, begun)


def load(folder: Path) -> dict[str, list[Case]]:
    """Read all bad cases of GSM8K questions; a missing reference is taken from GSM8K if it has the question."""
    solutions = {r["question"]: r["answer"] for r in _rows(folder / "gsm8k" / "main" / "test.jsonl.gz")}
    found = {}
    for name in FILES:
        rows = _rows(folder / "badcases" / f"{name}.jsonl.gz")
        found[name] = [
            Case(
                id=r["id"],
                source=name,
                kind=(r["question_type"] or "").split(" (")[0],
                question=r["question"],
                reference=r["gold_solution"] or solutions.get(r["question"], ""),
                output=r["model_output"],
                parts=tuple(r["model_steps"] or ()),
                error_step=r["error_step"],
            )
            for r in rows
            if r["dataset"] == "gsm8k"
        ]
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as f:
        return [json.loads(line) for line in f]


def diagnose(cases: Iterable[Case]) -> list[Diagnosis]:
    """Let the symbolic instructor diagnose each case, without deliberate vagueness."""
    bad = [
        BadCase(
            problem=PoolProblem(id=c.id, question=c.question, answer="", solution=c.reference),
            output=c.output,
            extracted="",
        )
        for c in cases
    ]
    return list(SymbolicInstructor(flaw_rate=0).diagnose(bad))


Rule = Callable[[Case], int | None]
"""Returns the part of a case that went wrong, or ``None``."""


def instructor(case: Case) -> int | None:
    """Return the part with the instructor's finding."""
    (diagnosis,) = diagnose([case])
    finding = diagnosis.keyphrase.finding if diagnosis.keyphrase else None
    return _located(case, finding, counted_steps(case.question, case.reference, case.output))


def by_value(case: Case) -> int | None:
    """Compare by value also in annotated outputs, which the instructor compares in order."""
    texts = (case.question, case.reference, case.output)
    return _located(case, first_departure(*texts), read_attempt(*texts))


def in_order(case: Case) -> int | None:
    """Compare annotated or plainly written equations position by position."""
    finding = first_difference(case.question, case.reference, case.output)
    return _located(case, finding, read_steps(case.output))


def _located(case: Case, finding: Finding | str | None, steps: Sequence[Step]) -> int | None:
    if finding is None or isinstance(finding, str):
        return None
    return case.part_of(steps[min(finding.step, len(steps)) - 1].line)


def first_difference_rule(case: Case) -> int | None:
    """Return the part of the first equation with another value than the reference's at the same position."""
    expected = [s for s in read_reference(case.question, case.reference) if isinstance(s.tree, tuple)]
    attempt = read_attempt(case.question, case.reference, case.output)
    written = [s for s in attempt if isinstance(s.tree, tuple)]
    if not expected or not written:
        return None
    differ = (i for i, (e, w) in enumerate(zip(expected, written, strict=False)) if e.value != w.value)
    at = next(differ, min(len(expected), len(written) - 1))
    return case.part_of(written[at].line)


RULES: dict[str, Rule] = {
    "instructor": instructor,
    "by value everywhere": by_value,
    "first difference": first_difference_rule,
    "in order": in_order,
    "first part": lambda _: 1,
    "last part": lambda case: len(case.parts),
}


def right(cases: Sequence[Case], rule: Rule) -> list[bool]:
    """Say for every case whether a rule names the part that a person marked."""
    return [rule(c) == c.error_step for c in cases]


def main() -> None:
    """Print the diagnoses, how often the right step is found on both halves, and examples."""
    files = load(Path(os.environ["SEI_DATA"]))
    _print_shares(files)
    marked = [c for cases in files.values() for c in cases if c.error_step is not None]
    for half in ("choose", "report"):
        _print_agreement(half, [c for c in marked if c.chooses == (half == "choose")])
    _print_examples([c for cases in files.values() for c in cases])


def _print_shares(files: Mapping[str, Sequence[Case]]) -> None:
    print("file                      n  diagnosed  in order  refused by reason")
    for name, cases in files.items():
        refused = Counter(d.rejection.reason for d in diagnose(cases) if d.rejection)
        before = sum(not isinstance(first_difference(c.question, c.reference, c.output), str) for c in cases)
        share = 1 - refused.total() / len(cases)
        print(f"{name:<20} {len(cases):>6}  {share:>9.1%}  {before / len(cases):>8.1%}  {dict(refused.most_common())}")


def _print_agreement(half: str, cases: Sequence[Case]) -> None:
    hits = {name: right(cases, rule) for name, rule in RULES.items()}
    print(f"\n{half}: n={len(cases)}, the step that a person marked first")
    groups: dict[str, list[int]] = defaultdict(list)
    for i, c in enumerate(cases):
        groups["all"].append(i)
        groups[f"{c.source} {c.kind}".strip()].append(i)
    for group, rows in sorted(groups.items()):
        print(f"  {group}, n={len(rows)}: " + ", ".join(f"{k} {sum(v[i] for i in rows)}" for k, v in hits.items()))
    ours = hits["instructor"]
    for name, theirs in hits.items():
        interval = wilson(sum(theirs), len(theirs), Z95)
        fixed, broken = (sum(a and not b for a, b in zip(*p, strict=True)) for p in ((ours, theirs), (theirs, ours)))
        named = [h for c, h in zip(cases, theirs, strict=True) if RULES[name](c) is not None]
        print(
            f"  {name:<20} {interval.mean:.1%} [{interval.low:.1%}, {interval.high:.1%}], "
            f"{sum(named) / len(named):.1%} of the {len(named)} named; instructor alone right {fixed}, "
            f"other alone {broken}, p={mcnemar(fixed, broken):.2g}"
        )


def _print_examples(cases: Sequence[Case]) -> None:
    print("\nrelation: n; phrases with their rows")
    found: dict[str, list[str]] = defaultdict(list)
    for d in diagnose(cases):
        if d.keyphrase and d.keyphrase.finding:
            found[d.keyphrase.finding.relation].append(f"{d.keyphrase.phrase} ({d.bad_case.problem.id})")
    for relation, phrases in sorted(found.items(), key=lambda kv: -len(kv[1])):
        step = max(1, len(phrases) // EXAMPLES)
        print(f"  {relation}: {len(phrases)}; " + "; ".join(phrases[::step][:EXAMPLES]))


if __name__ == "__main__":
    main()
