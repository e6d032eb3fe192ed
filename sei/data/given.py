"""``attempts=FILE``: outputs made elsewhere, and the problems that they answer."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sei.data.ids import tell_apart
from sei.data.inspect_logs import is_archive, samples_of_archive, samples_of_log
from sei.data.own import OTHER_NAMES, ColumnNames, Line, rows_of_lines
from sei.data.samples import OUTPUT_NAMES, Sample, of_lm_eval, of_rows, of_run
from sei.data.source import Row
from sei.data.study import Columns, JsonLines
from sei.errors import DataError, RoleError
from sei.exchange import DataSet, Output
from sei.grading.gold import missing
from sei.records import HeldOutProblem, PoolProblem
from sei.rows import not_json, numbers_kept
from sei.tables import read_table, text_of_file

log = logging.getLogger(__name__)

_LAYOUTS = (
    "samples of lm-evaluation-harness (doc, resps), an eval log of Inspect (.json, .eval), attempts.jsonl of a run, or "
    "rows of id and output (with question and gold, or with ids of the configured data)"
)
_AGAIN, _MORE, _NONE = "the same output in another row", "further outputs of a problem", "no output"


@dataclass(frozen=True, kw_only=True)
class Given:
    """The problems of a file of outputs, all in the pool, and the output for each problem id.

    ``layout``: the file's layout. ``left_out``: counts of what was not used, by reason.
    """

    layout: str
    problems: tuple[PoolProblem, ...]
    outputs: dict[str, Output]
    left_out: dict[str, int]


def read_given(path: Path, source: Any, load: Callable[[], DataSet]) -> Given:
    """Return the outputs of a file with their problems.

    The file's own questions and answers are used if it has them; otherwise ``load`` returns the data set, and ids are
    looked up in its pool. ``source``: the configured data part; with ``data=jsonl`` its columns are used.

    Raises:
        DataError: naming file and place of what cannot be read, or ids without a problem.
        RoleError: if an output belongs to a dev or test problem.
    """
    columns = source.columns if isinstance(source, JsonLines) else Columns()
    names: ColumnNames = {f.name: getattr(columns, f.name) for f in dataclasses.fields(columns)}
    layout, samples = _samples(path, names)
    left_out: Counter[str] = Counter()
    samples = _one_each(samples, left_out)
    if all(s.problem is not None for s in samples):
        pairs = _of_pool(path, samples)
    elif _carried(samples, names):
        pairs = _own(path, samples, names, source, left_out)
    else:
        pairs = _matched(path, samples, load(), left_out)
    outputs = {p.id: Output(text=s.output or "", finished=s.finished) for p, s in pairs}
    log.info("%s: %d outputs, read as %s", path, len(outputs), layout)
    counted = {reason: n for reason, n in sorted(left_out.items()) if n}
    if counted:  # no warning if only filters of lm-evaluation-harness repeat an output
        level = logging.INFO if counted.keys() == {_AGAIN} else logging.WARNING
        log.log(level, "%s: left out: %s", path, ", ".join(f"{reason}: {n}" for reason, n in counted.items()))
    return Given(layout=layout, problems=tuple(p for p, _ in pairs), outputs=outputs, left_out=counted)


def _samples(path: Path, names: dict[str, str]) -> tuple[str, list[Sample]]:
    if path.is_dir():
        there = sorted(p.name for p in path.rglob("*") if p.is_file())[:3]
        raise DataError(
            f"attempts={path} is a folder. Rule: give one file. Remedy: name a file in it, such as {there}."
        )
    if not path.is_file():
        raise DataError(f"attempts={path}: no such file. Remedy: check the path.")
    if is_archive(path):
        return "Inspect", samples_of_archive(path)
    if (whole := _log_of_inspect(path)) is not None:
        return "Inspect", samples_of_log(path, whole)
    table = read_table(path, written=True)
    lines = [Line(n, row, table.unit) for n, row in table.rows]
    if not lines:
        raise DataError(f"attempts={path} has no rows. Remedy: a file with outputs.")
    keys = {k for line in lines for k in line.row}
    if {"doc", "resps"} <= keys or {"doc", "filtered_resps"} <= keys:
        return "lm-evaluation-harness", of_lm_eval(path, lines)
    if all("attempt" in line.row for line in lines):
        return "attempts of a run", of_run(path, lines)
    columns = [x for x in OUTPUT_NAMES if x in keys]
    column = "output" if "output" in columns else columns[0] if len(columns) == 1 else ""
    if not column or names["id"] not in keys:
        several = f"; each of {columns} may be the output" if len(columns) > 1 else ""
        raise DataError(
            f"attempts={path} {lines[0].place}: its columns are {sorted(keys)}{several}. Rule: outputs come as "
            f"{_LAYOUTS}. Remedy: rename the columns to id and output."
        )
    return "rows", of_rows(path, lines, column, names["id"])


def _log_of_inspect(path: Path) -> dict[str, Any] | None:
    """Return a JSON log of Inspect, or ``None`` for any other file."""
    if path.name.removesuffix(".gz").endswith(".json"):
        text = text_of_file(path)
        if text.lstrip()[:1] == "{" and '"samples"' in text and '"eval"' in text:
            try:
                found = json.loads(text, **numbers_kept())
            except (ValueError, RecursionError) as e:
                raise not_json(str(path), e, "fetch the file again") from e
            return found if isinstance(found, dict) and "eval" in found else None
    return None


def _one_each(samples: Sequence[Sample], left_out: Counter[str]) -> list[Sample]:
    """Return the first sample with an output for each problem, and count the others."""
    first: dict[str, Sample] = {}
    for s in samples:
        if s.output is None:
            left_out[_NONE] += 1
            continue
        key = json.dumps([s.id, s.row, s.problem and s.problem.question], sort_keys=True, default=repr)
        if key in first:
            left_out[_AGAIN if first[key].output == s.output else _MORE] += 1
            continue
        first[key] = s
        left_out[_MORE] += s.more
    if not first:
        raise DataError(f"none of {len(samples)} samples has an output. Remedy: give a file with outputs.")
    return list(first.values())


def _of_pool(path: Path, samples: Sequence[Sample]) -> list[tuple[PoolProblem, Sample]]:
    pairs = [(s.problem, s) for s in samples if isinstance(s.problem, PoolProblem)]
    _require_pool(path, [s.problem for s in samples if isinstance(s.problem, HeldOutProblem)], len(samples))
    return pairs


def _require_pool(path: Path, held_out: Sequence[HeldOutProblem], n: int) -> None:
    if not held_out:
        return
    roles = Counter(f"{p.set} ({p.role})" for p in held_out)
    shown = ", ".join(repr(p.id) for p in held_out[:3])
    raise RoleError(
        f"attempts={path}: {len(held_out)} of {n} outputs answer held-out problems: "
        f"{', '.join(f'{k}: {v}' for k, v in roles.items())}; such as {shown}. Rule: error types come from training "
        "problems only, since using test problems would leak them into training. Remedy: give outputs for the pool."
    )


def _carried(samples: Sequence[Sample], names: ColumnNames) -> bool:
    """Say whether a file has its own questions and answers."""
    filled = {k for s in samples for k, v in s.row.items() if not missing(v)}

    def there(column: str) -> bool:
        usual = names[column] == column
        return bool(filled & {names[column], *(OTHER_NAMES[column] if usual else ())})

    return there("question") and (there("answer") or names["solution"] in filled)


def _own(
    path: Path, samples: Sequence[Sample], names: ColumnNames, source: Any, left_out: Counter[str]
) -> list[tuple[PoolProblem, Sample]]:
    answers = source.answers if isinstance(source, JsonLines) else "auto"
    try:
        rows = rows_of_lines(path, [s.line for s in samples], "given", names, answers)
    except DataError as e:
        known = isinstance(source, JsonLines) or "data." not in str(e)
        raise e if known else DataError(f"{e} Settings of data.columns and data.answers need data=jsonl.") from e
    pairs: dict[Row, Sample] = {}
    for row, s in zip(rows, samples, strict=True):
        named = row._replace(id=s.id)
        if pairs.setdefault(named, s) is not s:
            left_out[_MORE] += 1
    apart = tell_apart({"attempts": list(pairs)})["attempts"]
    return [(row.pool(), s) for row, s in zip(apart, pairs.values(), strict=True)]


def _matched(
    path: Path, samples: Sequence[Sample], data: DataSet, left_out: Counter[str]
) -> list[tuple[PoolProblem, Sample]]:
    """Return the problems in the data set's pool with the ids of the samples."""
    pool = {p.id: p for p in data.pool}
    held_out = {p.id: p for p in data.held_out}
    _require_pool(path, [held_out[s.id] for s in samples if s.id in held_out], len(samples))
    unknown = [s.id for s in samples if s.id not in pool]
    if unknown:
        raise DataError(
            f"attempts={path}: {len(unknown)} of {len(samples)} ids are not in the pool, such as "
            f"{', '.join(map(repr, unknown[:3]))}; ids of the pool look like {', '.join(map(repr, list(pool)[:3]))}. "
            "Rule: an output without its own question and gold answer must belong to a problem of the configured "
            "data. Remedy: use the ids of the data set (and its settings, such as data.pool), or add columns question "
            "and gold."
        )
    first: dict[str, Sample] = {}
    for s in samples:
        if first.setdefault(s.id, s) is not s:
            left_out[_MORE] += 1
    return [(pool[i], s) for i, s in first.items()]
