"""The four tables: main, ablation, rounds, budget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sei.compare.cells import NOT_MEASURED, Record, Result, Table, cell, estimate_cell, named_ends, p_value, points
from sei.compare.differences import BASE_MODEL, UNDEFINED, Comparison, compare
from sei.compare.measures import (
    ROLES,
    Estimate,
    Outcome,
    Stage,
    at_round,
    estimate,
    of_block,
    outcomes,
    spent,
    trained,
    unequal,
)
from sei.compare.methods import Block, Method, within
from sei.compare.runs import BASE, Run
from sei.statistics import alike


def main_table(blocks: Sequence[Block], stage: Stage, expected: Sequence[str] = ()) -> Result:
    """Return the main table, models x methods against outcomes: mean over seeds with 95 % interval.

    Every block also gets a row for each ``expected`` method; without runs its cells say so.
    """
    columns = outcomes([r for b in blocks for r in of_block(b)])
    by_set: dict[str, set[int]] = defaultdict(set)
    rows: list[tuple[str, ...]] = []
    records: list[Record] = []
    kinds: set[str] = set()
    changed: list[str] = []
    for block in blocks:
        own = outcomes(of_block(block))
        for method, at in (*((b, at_round(BASE)) for b in bases(block)), *((m, stage) for m in trained(block))):
            cells, told = [], set[tuple[str, tuple[str, ...]]]()
            for column in columns:
                # a mean over sets uses the sets of the block's own data
                mine = next((o for o in own if (o.role, o.headline) == (column.role, True)), None)
                wanted = mine if len(column.sets) > 1 else column
                found = estimate(method, wanted, at) if wanted is not None else None
                cells.append(estimate_cell(found, method))
                meant = wanted or column
                if (meant.role, meant.sets) not in told:
                    told.add((meant.role, meant.sets))
                    records.append(_main_record(block, method, meant, found))
                if found is not None:
                    kinds.add(found.kind)
                    if wanted is not None and len(wanted.sets) == 1:
                        by_set[column.title].add(found.n)
            rows.append((block.model, block.data, method.name, _seeds(method.seeds), *cells))
        changed += [f"{block.model}, {m.name}" for m in block.methods if len(m.inputs) > 1]
        absent = [name for name in expected if name not in {m.name for m in block.methods}]
        rows += [(block.model, block.data, name, "0", *[NOT_MEASURED] * len(columns)) for name in absent]
    notes = [f"Accuracy in percent, mean over seeds [95 % interval: {', '.join(sorted(kinds)) or 'none'}]."]
    if any(r["questions_low"] is not None for r in records):
        notes.append("main.csv also has intervals clustered by question.")
    notes += [_CHANGED.format(name) for name in changed]
    header = ("model", "data", "method", "seeds", *_main_titles(blocks, columns, by_set))
    return Result("main", (Table("Main table", header, tuple(rows), tuple(notes)),), tuple(records))


_CHANGED = (
    "Take care: the runs of {} may be of different methods. A file, folder or plugin in their settings was changed "
    "between them."
)


def _main_titles(blocks: Sequence[Block], columns: Sequence[Outcome], n: dict[str, set[int]]) -> list[str]:
    own_sets = {o.sets for b in blocks for o in outcomes(of_block(b)) if o.headline}
    return [
        f"{ROLES[c.role]}, mean of the sets in the row" if len(c.sets) > 1 and c.sets not in own_sets else _titled(c, n)
        for c in columns
    ]


_ABLATION = ("method", "seeds", "difference", "by question", "p", "p (Holm)", "detectable", "verdict", "budget")


def ablation_tables(blocks: Sequence[Block], stage: Stage) -> Result:
    """Compare every method with the full one: a table per block and headline outcome, each one family for Holm."""
    tables: list[Table] = []
    records: list[Record] = []
    for block in blocks:
        if block.full is None or not block.others or not block.full.trains:
            continue
        for outcome in [o for o in outcomes(of_block(block)) if o.headline]:
            found = {c.method: c for c in compare(block, outcome, stage)}
            names = (BASE_MODEL, *(m.name for m in block.others))
            rows = tuple(_ablation_row(name, found.get(name)) for name in names)
            records += [_ablation_record(block, outcome, found[name]) for name in names if name in found]
            title = f"Ablation: {block.model}, {block.data}, {outcome.title}, against {block.full.name}"
            tables.append(Table(title, _ABLATION, rows, _ablation_notes(block.full.name, found.values())))
    return Result("ablation", tuple(tables), tuple(records))


def _ablation_row(name: str, c: Comparison | None) -> tuple[str, ...]:
    if c is None:
        return name, "-", *[NOT_MEASURED] * 7
    least = "unknown" if c.detectable is None else points(c.detectable)
    return (
        *(name, _seeds(c.seeds), cell(c.delta, signed=True), cell(c.by_question, signed=True)),
        *(_shown(c, c.p), _shown(c, c.p_holm), "-" if c.p is None else least, c.verdict, c.budget),
    )


def _shown(c: Comparison, p: float | None) -> str:
    """Return a p value as text; an undefined one says so instead of giving a number."""
    return UNDEFINED if c.p is None and c.verdict == UNDEFINED else p_value(p)


def _ablation_record(block: Block, outcome: Outcome, c: Comparison) -> Record:
    return {
        "model": block.model,
        "data": block.data,
        "outcome": outcome.title,
        "reference": block.full.name if block.full else None,
        "method": c.method,
        "seeds": len(c.seeds),
        **named_ends("delta", c.delta),
        **named_ends("questions", c.by_question),
        "test": c.test,
        "p": c.p,
        "p_holm": c.p_holm,
        "detectable": c.detectable,
        "verdict": c.verdict,
        "budget": c.budget,
    }


_NO_P = "Not defined: all seeds (with one seed: all items) have the same difference, so there is nothing to test."


def _ablation_notes(full: str, found: Collection[Comparison]) -> tuple[str, ...]:
    tests = sorted({c.test for c in found})
    alone = any(c.p_holm is not None and len(c.seeds) == 1 for c in found)
    return (
        f"Difference of method less {full}, in points, same seeds [95 %]: {'; '.join(tests)}.",
        "By question: for new questions of this kind and the same seeds (clustered); says nothing about other seeds.",
        "Detectable: the smallest true difference that this test finds with 80 % power at 5 %, before Holm.",
        "Real: p (Holm, over the methods of this table) below 0.05. Null only means that no difference was found.",
        *([_NO_P] if any(c.verdict == UNDEFINED for c in found) else []),
        *(["One seed: the test is about these trained models, not about the methods."] if alone else []),
        "Budget: candidates, optimizer steps and supervised tokens of whole runs, equal within 2 %.",
    )


def rounds_tables(blocks: Sequence[Block]) -> Result:
    """Return the accuracy of every method after each round."""
    tables: list[Table] = []
    records: list[Record] = []
    for block in blocks:
        most = max(r.last for r in of_block(block))
        rows = []
        for outcome in [o for o in outcomes(of_block(block)) if o.headline]:
            for method in trained(block):
                cells = []
                for number in range(most + 1):
                    found = estimate(method, outcome, at_round(number), items=False)
                    cells.append(estimate_cell(found, method))
                    records.append({**_main_record(block, method, outcome, found), "round": number})
                rows.append((outcome.title, method.name, _seeds(method.seeds), *cells))
        header = ("outcome", "method", "seeds", "base", *(f"round {n}" for n in range(1, most + 1)))
        notes = ("Accuracy in percent, mean over the seeds that reached the round [95 % interval].",)
        if rows:
            tables.append(Table(f"Rounds: {block.model}, {block.data}", header, tuple(rows), notes))
    return Result("rounds", tuple(tables), tuple(records))


def families(block: Block) -> dict[str, list[Method]]:
    """Return methods that differ only in budget, by family, smallest first; families of one level are left out.

    Levels differ if candidates or supervised tokens of whole runs differ by more than 2 %.
    """
    grouped: dict[str, list[Method]] = defaultdict(list)
    for method in trained(block):
        grouped[method.family].append(method)
    out = {}
    for family, methods in grouped.items():
        ordered = sorted(methods, key=lambda m: tuple(v or 0.0 for v in spent(m)))
        first = spent(ordered[0])
        others = [spent(m) for m in ordered[1:]]
        known = [(a, b) for s in others for a, b in zip(first, s, strict=True) if a is not None and b is not None]
        if any(unequal(a, b) for a, b in known):
            out[family] = ordered
    return out


def budget_table(blocks: Sequence[Block], stage: Stage) -> Result:
    """Return accuracy against budget, for methods that differ only in budget."""
    columns = list(dict.fromkeys(o for b in blocks for o in outcomes(of_block(b)) if o.headline))
    rows: list[tuple[str, ...]] = []
    records: list[Record] = []
    for block in blocks:
        for family, methods in families(block).items():
            for method in methods:
                costs = spent(method)
                shown = [NOT_MEASURED if v is None else f"{v:.0f}" for v in costs]
                found = [estimate(method, o, stage, items=False) for o in columns]
                cells = [estimate_cell(e, method) for e in found]
                rows.append((block.model, block.data, family, method.name, _seeds(method.seeds), *shown, *cells))
                for outcome, e in zip(columns, found, strict=True):
                    cost: Record = {"candidates": costs[0], "tokens": costs[1], "family": family}
                    records.append({**_main_record(block, method, outcome, e), **cost})
    if not rows:
        return Result("budget", (), ())
    header = ("model", "data", "family", "method", "seeds", "candidates", "tokens", *(o.title for o in columns))
    notes = ("Candidates and supervised tokens of whole runs, mean over seeds; accuracy in percent [95 % interval].",)
    return Result("budget", (Table("Budget curve", header, tuple(rows), notes),), tuple(records))


def bases(block: Block) -> list[Method]:
    """Return the base models of a block, each with one run per seed. Most blocks have one.

    Methods have the same base if it has the same scores in every seed that both have. Without such a seed it is the
    same if they agree in all settings that a base depends on.
    """
    groups: list[list[Method]] = []
    for method in [*([block.full] if block.full else []), *(m for m in block.methods if m is not block.full)]:
        for group in groups:
            if all(_same_base(method, other) for other in group):
                group.append(method)
                break
        else:
            groups.append([method])
    out = []
    for group in groups:
        name = BASE_MODEL if group is groups[0] else f"{BASE_MODEL} of {group[0].name}"
        out.append(Method(name, name, {s: r for m in reversed(group) for s, r in m.runs.items()}, {}))
    return out


_OF_BASE = ("model", "engine", "data", "benchmarks", "answer_tokens", "grader", "method.warm_up")


def _same_base(mine: Method, other: Method) -> bool:
    shared = mine.runs.keys() & other.runs.keys()
    if not shared:
        keys = {k for k in mine.settings.keys() | other.settings.keys() if within(k, _OF_BASE)}
        return all(mine.settings.get(k) == other.settings.get(k) for k in keys)
    return all(_scored_alike(mine.runs[s], other.runs[s]) for s in shared)


def _scored_alike(mine: Run, other: Run) -> bool:
    sets = mine.summary.baseline.keys() & other.summary.baseline.keys()
    found = [(mine.accuracy(BASE, k), other.accuracy(BASE, k)) for k in sets]
    return all(a is None or b is None or alike((a, b)) for a, b in found)


def _titled(outcome: Outcome, n: dict[str, set[int]]) -> str:
    found = sorted(n.get(outcome.title, ()))
    many = f", n={found[0]}" + (f" to {found[-1]}" if len(found) > 1 else "") if found else ""
    return outcome.title.removesuffix(")") + many + ")" if len(outcome.sets) == 1 else outcome.title


def _seeds(seeds: Sequence[int]) -> str:
    return str(len(seeds))


def _main_record(block: Block, method: Method, outcome: Outcome, found: Estimate | None) -> Record:
    questions = named_ends("questions", found.by_question if found else None)
    return {
        "model": block.model,
        "data": block.data,
        "method": method.name,
        "outcome": outcome.title,
        "role": outcome.role,
        "n": found.n if found else None,
        "seeds": len(found.seeds) if found else 0,
        **named_ends("accuracy", found.interval if found else None),
        "interval": found.kind if found else NOT_MEASURED,
        "questions_low": questions["questions_low"],
        "questions_high": questions["questions_high"],
    }
