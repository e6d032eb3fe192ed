"""Compares methods with the full one: difference, test, detectable difference, and budgets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sei.compare.measures import Answers, Outcome, Stage, at_round, budget, clustered_mean, unequal, values
from sei.compare.methods import Block, Method, kind_of
from sei.compare.runs import BASE, Run
from sei.compare.significance import bootstrap, detectable_sign_flip, holm, paired_t, sign_flip
from sei.statistics import ALPHA, Interval, limited

BASE_MODEL = "base model"
ONE_SEED = " (one seed)"
UNDEFINED = "not defined"  # a p, if the observed differences do not vary


@dataclass(frozen=True)
class Comparison:
    """Method minus full method on one outcome, paired by seed (shares).

    ``delta`` is of the questions that both answered, if item files show which; else of all questions of each. It has
    the interval of ``test``: t over seeds, or for one seed a bootstrap over items (no ends without item
    files). ``by_question``: the interval clustered by question. ``detectable``: the smallest true difference that the
    test finds with 80 % power, None if unknown (no spread over seeds, too few discordant items). ``p`` is None if there
    was no test, or if it is undefined because all seeds, or all items, have the same difference. ``verdict``: real,
    null, not defined or not tested; with one seed it is about two trained models, not two methods.
    """

    method: str
    seeds: tuple[int, ...]
    delta: Interval
    by_question: Interval | None
    test: str
    p: float | None
    p_holm: float | None
    detectable: float | None
    verdict: str
    budget: str


def compare(block: Block, outcome: Outcome, stage: Stage) -> list[Comparison]:
    """Compare the base model and every other method with the full one; Holm adjusts over the methods without the base.

    A method with an undefined p counts in Holm's number of comparisons.

    A method that shares no seed with the full one is left out.
    """
    full = block.full
    if full is None:
        return []
    base = _compare(BASE_MODEL, full, full, outcome, at_round(BASE), stage)
    rows = [_compare(m.name, m, full, outcome, stage, stage) for m in block.others]
    found = [r for r in rows if r is not None]
    counted = [r for r in found if r.p is not None or r.verdict == UNDEFINED]
    adjusted = holm({r.method: 1.0 if r.p is None else r.p for r in counted})
    judged = [
        replace(r, p_holm=adjusted[r.method], verdict=_verdict(adjusted[r.method], len(r.seeds)))
        if r.p is not None
        else r
        for r in found
    ]
    first = [] if base is None else [replace(base, budget="untrained", verdict="outside Holm")]
    return first + judged


def _verdict(p_holm: float, seeds: int) -> str:
    return ("real" if p_holm < ALPHA else "null") + (ONE_SEED if seeds == 1 else "")


def _compare(
    name: str, mine: Method, full: Method, outcome: Outcome, my_stage: Stage, stage: Stage
) -> Comparison | None:
    a, b = values(mine, outcome, my_stage), values(full, outcome, stage)
    seeds = tuple(s for s in a if s in b)
    if not seeds:
        return None
    runs = [(mine.runs[s], full.runs[s]) for s in seeds]
    answers = [(x.items(my_stage(x)), y.items(stage(y))) for x, y in runs]
    each = [_on_shared(a[s] - b[s], *found, outcome.sets) for s, found in zip(seeds, answers, strict=True)]
    out = Comparison(
        name,
        seeds,
        Interval(sum(each) / len(seeds), math.nan, math.nan),
        clustered_mean(answers, outcome.sets),
        "not tested: one seed, no item files that fit the summary",
        None,
        None,
        None,
        "not tested",
        budgets(runs),
    )
    if len(seeds) > 1:
        t = paired_t(each, [0.0] * len(each))
        verdict = UNDEFINED if t.p is None else out.verdict
        out = replace(out, delta=limited(t.delta, -1, 1), test="paired t over seeds", verdict=verdict)
        return replace(out, p=t.p, detectable=t.detectable or None)
    pairs = _pairs(*answers[0], outcome.sets)
    if pairs is None:
        return out
    drawn, p = bootstrap(pairs), sign_flip(pairs)
    return replace(
        out,
        delta=Interval(out.delta.mean, drawn.low, drawn.high),
        test="exact McNemar over items" if len(pairs) == 1 else "sign flips of discordant items, mean over sets",
        p=p,
        detectable=detectable_sign_flip(pairs),
        verdict=UNDEFINED if p is None else out.verdict,
    )


def _on_shared(difference: float, mine: Answers, other: Answers, sets: Sequence[str]) -> float:
    """Return a difference of accuracies, or that on the shared questions if one side lacks answers to some."""
    pairs = _pairs(mine, other, sets)
    if pairs is None or all(len(p) == len(mine[k]) == len(other[k]) for p, k in zip(pairs, sets, strict=True)):
        return difference
    return sum(sum(p) / len(p) for p in pairs) / len(pairs)


def _pairs(mine: Answers, other: Answers, sets: Sequence[str]) -> list[list[float]] | None:
    """Return, by set, 1 (only mine is right), -1 (only the other is right) or 0 for every shared question."""
    out = []
    for name in sets:
        a, b = mine.get(name, {}), other.get(name, {})
        differences = [float(a[q]) - float(b[q]) for q in a if q in b]
        if not differences:
            return None
        out.append(differences)
    return out


def budgets(runs: Sequence[tuple[Run, Run]]) -> str:
    """Say whether two methods spent the same, seed by seed: candidates, optimizer steps and supervised tokens of runs.

    If only the number of fine-tunes differs, the text says so: each fine-tune from the base sees only its own tokens.
    Tokens of different kinds of fine-tuning (supervised against sampled) are not comparable, which the text says too.
    """
    spent = [(budget(x), budget(y)) for x, y in runs]
    other_kind = any(kind_of(x, "finetuner") != kind_of(y, "finetuner") for x, y in runs)
    said = ["different fine-tuning: steps and tokens not comparable"] if other_kind else []
    for words, pairs in (
        ("candidates", [(x.candidates, y.candidates) for x, y in spent]),
        ("steps", [(x.steps, y.steps) for x, y in spent if x.steps and y.steps]),
        ("tokens", [(x.tokens, y.tokens) for x, y in spent]),
    ):
        known = [(x, y) for x, y in pairs if x is not None and y is not None]
        if words != "candidates" and other_kind:
            continue
        if len(known) < len(pairs):
            said.append(f"{words} not measured")
        elif any(unequal(x, y) for x, y in known):
            said.append(f"{words} {_times(known)}")
            if words == "tokens" and not any(
                unequal(_each(x, a), _each(y, b)) for (x, y), (a, b) in zip(known, runs, strict=True)
            ):
                said[-1] += " (a fine-tune: equal)"
    return f"NOT equal: {', '.join(said)}" if said else "equal"


def _times(known: Sequence[tuple[int, int]]) -> str:
    """Return the ratio of budgets: over all seeds, or from smallest to largest if seeds lie on both sides of 1."""
    if any(not y for _, y in known):
        return "none in the other"
    each = sorted(x / y for x, y in known)
    if each[0] < 1 < each[-1]:
        return f"{each[0]:.2f}x to {each[-1]:.2f}x"
    return f"{sum(x for x, _ in known) / sum(y for _, y in known):.2f}x"


def _each(tokens: int, run: Run) -> float | None:
    return tokens / run.last if run.last else None
