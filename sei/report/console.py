"""The output at the end of a run: a table with n, accuracy and interval."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sei.choice import DIAGNOSED
from sei.printable import printable
from sei.records import RoundRecord, Score

MARKED = 0.5  # share of unreadable answers above which a score reflects the format more than the model
_TITLE = "accuracy in percent, 95 % interval (Wilson)"
_ENDS = {
    "rounds": "all rounds done",
    "plateau": "ended early: no better dev accuracy for `patience` rounds",
    "converged": "ended early: the pool is solved, nothing is left to learn from",
    "unreadable": "ended early: all unsolved answers are unreadable (more engine.max_new_tokens?)",
    DIAGNOSED: "diagnosis only: ended after the error types, since the outputs were given and no model was opened",
    "no_candidate": "ended early: no new problem was asked for or passed the checks (dropped.jsonl says why)",
}


def said_of(ending: Ending, stages: int) -> str:
    """Say why a run ended; one without rounds trained nothing."""
    return "nothing was trained (rounds=0)" if (ending.stopped, stages) == ("rounds", 1) else _ENDS[ending.stopped]


def score_table(stages: Sequence[tuple[str, dict[str, Score]]], best: int) -> Table:
    """Return a table with one row per set and one column per stage; ``gain`` is that of the ``best`` stage."""
    several = any(s.samples > 1 for s in stages[0][1].values())
    kind = "avg@k in percent, 95 % interval clustered by problem" if several else _TITLE
    table = Table(title=kind)
    for head in ("set", "role"):
        table.add_column(head)
    table.add_column("n", justify="right")
    for i, (name, _) in enumerate(stages):
        table.add_column(_plain(f"{name} *" if i == best else name), justify="right")
    if len(stages) > 1:
        table.add_column("gain *", justify="right")
    table.add_column("unreadable (cut)", justify="right")
    for key, first in stages[0][1].items():
        cells = [_cell(s[key]) for _, s in stages]
        gain = [f"{100 * (stages[best][1][key].accuracy - first.accuracy):+.1f}"] if len(stages) > 1 else []
        unread = " → ".join(k for k, _ in itertools.groupby(f"{s[key].unreadable} ({s[key].cut})" for _, s in stages))
        table.add_row(_plain(key), first.role, str(first.n), *cells, *gain, unread)
    return table


def show_types(record: RoundRecord, stopped: str, folder: Path) -> None:
    """Print the error types of a run with given outputs, and where its results are."""
    console = Console(width=None if Console().is_terminal else 160)
    table = Table(title=f"error types of {len(record.diagnoses)} bad cases among {len(record.graded)} outputs")
    table.add_column("cases", justify="right")
    table.add_column("error type")
    for t in record.error_map.types:
        table.add_row(str(len(t.members)), _plain(t.name))
    console.print(table)
    for end in dict.fromkeys((DIAGNOSED, stopped)):
        console.print(_ENDS[end], highlight=False)
    console.print(_plain(f"results: {folder} (page: report.html)"), soft_wrap=True)


def _plain(text: str) -> Text:
    """Return a text shown unchanged: no markup, no control characters."""
    return Text(printable(text))


def _cell(s: Score) -> str:
    mark = " †" if s.unreadable_share > MARKED else ""
    return f"{100 * s.accuracy:.1f} [{100 * s.ci95[0]:.1f}, {100 * s.ci95[1]:.1f}]{mark}"


def _of_several(scores: dict[str, Score]) -> list[str]:
    """Return the other measures besides avg@k of sets with several answers per problem."""
    out = []
    for name, s in scores.items():
        if s.samples > 1 and s.majority is not None:
            passed = ", ".join(f"pass@{k} {100 * v:.1f}" for k, v in s.pass_at)
            said = f"avg@{s.samples} {_cell(s)}, maj@{s.samples} {100 * s.majority:.1f}, {passed}"
            out.append(f"{name}: {said} ({s.n} answers)")
    return out


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a run ended: the ``best`` stage on dev (0: the base), why it ``stopped``, where the ``last`` weights are."""

    best: int
    stopped: str
    last: str = ""

    @property
    def model(self) -> str:
        """Describe the best checkpoint in words."""
        if self.best:
            return "this is model/"
        return f"the base, no round was better; {self.last}" if self.last else "the base"


def show_scores(stages: Sequence[tuple[str, dict[str, Score]]], folder: Path) -> None:
    """Print the table of an unfinished run, and where its results are."""
    console = Console(width=None if Console().is_terminal else 160)
    with console.capture() as said:
        console.print(score_table(stages, 0))
        console.print(_plain(f"so far: {folder} (page: report.html)"), soft_wrap=True)
    print(said.get(), end="", flush=True)


def show(stages: Sequence[tuple[str, dict[str, Score]]], ending: Ending, folder: Path, made: int, reused: int) -> None:
    """Print the table, why the run ended, and where the results are, all at once, since other jobs may print too."""
    console = Console(width=None if Console().is_terminal else 160)
    with console.capture() as said:
        console.print(score_table(stages, ending.best))
        if any(s.unreadable_share > MARKED for _, found in stages for s in found.values()):
            console.print("† more than half of these answers have no readable result", highlight=False)
        for line in _of_several(stages[ending.best][1]):
            console.print(_plain(line), soft_wrap=True)
        console.print(_plain(f"* best on dev: {ending.model}; {said_of(ending, len(stages))}"), soft_wrap=True)
        console.print(f"{made} results made, {reused} reused from the store")
        console.print(_plain(f"results: {folder} (page: report.html)"), soft_wrap=True)
    print(said.get(), end="", flush=True)
