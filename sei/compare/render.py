"""Tables as Markdown, LaTeX (booktabs) and CSV. Names come from configs, so they are escaped, never used as markup."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from sei.compare.cells import Record, Result, Table, Value
from sei.printable import printable

_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "†": r"\dag{}",
}
_NEGATIVE = re.compile(r"(?<!\S)-(?=\d)|(?<=\[)-(?=\d)")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_FORMULA = ("=", "+", "-", "@")  # a spreadsheet treats text that begins with these as a formula


def markdown(table: Table) -> str:
    """Return a table with its title above and its notes below."""
    lines = [f"### {_plain(table.title)}", "", _row(table.header), "|" + "---|" * len(table.header)]
    lines += [_row(r) for r in table.rows]
    return "\n".join([*lines, "", *(_plain(n) for n in table.said)]) + "\n"


def latex(result: Result) -> str:
    """Return all tables of a kind. The document needs booktabs and graphicx (wide tables are scaled down)."""
    parts = ["% \\usepackage[T1]{fontenc}, \\usepackage{booktabs}, \\usepackage{graphicx}"]
    for number, table in enumerate(result.tables, 1):
        columns = "".join("l" if _wordy(table, i) else "r" for i in range(len(table.header)))
        body = [" & ".join(_tex(c) for c in cells) + r" \\" for cells in table.rows]
        parts.append(
            "\n".join(
                [
                    r"\begin{table}[t]",
                    r"\centering",
                    rf"\caption{{{_tex(table.title)}. {_tex(' '.join(table.said))}}}",
                    rf"\label{{tab:{result.name}-{number}}}",
                    r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
                    rf"\begin{{tabular}}{{{columns}}}",
                    r"\toprule",
                    " & ".join(_tex(h) for h in table.header) + r" \\",
                    r"\midrule",
                    *body,
                    r"\bottomrule",
                    r"\end{tabular}}",
                    r"\end{table}",
                ]
            )
        )
    return "\n\n".join(parts) + "\n"


def csv_text(records: Sequence[Record]) -> str:
    """Return records as CSV with shares as numbers; text that a spreadsheet would run gets a leading apostrophe."""
    header = list(dict.fromkeys(k for r in records for k in r))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_guarded(h) for h in header])
    writer.writerows([[_guarded(r.get(k)) for k in header] for r in records])
    return out.getvalue()


def _guarded(value: Value) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, str):
        shown = printable(value)
        return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown
    return value


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(c).replace("|", r"\|") for c in cells) + " |"


def _plain(text: str) -> str:
    return _TAG.sub("&lt;", " ".join(text.split()))


def _tex(text: str) -> str:
    return _NEGATIVE.sub("$-$", "".join(_TEX.get(c, c) for c in " ".join(text.split())))


def _wordy(table: Table, column: int) -> bool:
    return not any(any(c.isdigit() for c in row[column][:2]) for row in table.rows if column < len(row))
