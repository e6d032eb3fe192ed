"""``preview=true``: take a few problems through every stage, show each request, reply and decision, then the cost.

Only paid answers are kept; the run that follows makes its own results.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from sei.estimate import observations
from sei.exchange import DataSet
from sei.instructors.remote.terms import WATCHING, Request, Result
from sei.loop import (
    Method,
    Round,
    RoundState,
    attempted,
    evaluate,
    find_errors,
    keep,
    starting_checkpoint,
    train,
    write,
)
from sei.preview import show_prompt
from sei.printable import printable
from sei.records import Checkpoint, Graded, PoolProblem, RoundRecord
from sei.report.folder import write_json
from sei.stages.attempt import Attempts
from sei.stages.grade import bad_cases, scores
from sei.store import Store

_WANTED = 3  # bad cases
_TRIED = 8 * _WANTED  # maximum number of problems to try for that many bad cases
_LONGEST = 1_500  # characters of a text that is shown
_STEPS = 3  # of the fine-tune


class Shown:
    """A console that prints titled sections."""

    def __init__(self) -> None:
        self.console = Console(width=None if Console().is_terminal else 140, record=True)

    def rule(self, title: str) -> None:
        """Begin the next section."""
        self.console.rule(Text(title))

    def say(self, text: str, **kinds: str) -> None:
        """Print a line, and texts of models and files by name, shortened if they are long."""
        self.console.print(Text(printable(text, keep="\n")), soft_wrap=True)
        for name, value in kinds.items():
            cut = value if len(value) <= _LONGEST else f"{value[:_LONGEST]} ... [{len(value)} characters]"
            self.console.print(Text(f"  {name}: {printable(cut, keep=chr(10))}"), soft_wrap=True)

    def reply(self, request: Request, found: Result) -> None:
        """Print one request to an instructor and its result."""
        self.rule(f"request: {request.kind}")
        for role, text in request.messages:
            self.say(f"[{role}]\n{text[: 4 * _LONGEST]}")
        tokens = f"{found.input_tokens} + {found.output_tokens} tokens{', kept from before' if found.cached else ''}"
        self.say(f"[reply, {tokens}]\n{found.text or '(none)'}"[: 4 * _LONGEST])
        self.say("-> read" if not found.reason else f"-> refused: {found.reason}: {found.detail[:_LONGEST]}")


def walk_through(method: Method, data: DataSet, base: Checkpoint, store: Store, seed: int, folder: Path) -> Path | None:
    """Take a few problems through one round and show every step.

    Returns:
        A ledger of the observations, for the estimate of the whole run; ``None`` if the instructor costs nothing.
    """
    shown = Shown()
    small = _small(method)
    base = starting_checkpoint(method, data, store, base)
    if isinstance(method.attempt, Attempts):
        show_prompt(method.attempt.target.without_weights(), data.pool[0])
    try:
        return _shown_round(shown, small, data, base, seed, folder)
    finally:
        shown.console.save_text(str(folder / "preview.txt"))


def _shown_round(shown: Shown, small: Method, data: DataSet, base: Checkpoint, seed: int, folder: Path) -> Path | None:
    with tempfile.TemporaryDirectory() as aside, _watched(shown):
        own = Store(root=Path(aside))
        graded = _attempted(shown, small, data, base, own, seed)
        shown.rule(f"attempts at {len(graded)} problems of the pool")
        for g in graded:
            _show_attempt(shown, g)
        tried = {p.id: p for g in graded if isinstance(p := g.attempt.problem, PoolProblem)}
        few = replace(data, pool=tuple(tried.values()), held_out=_few(data))
        if not bad_cases(graded, small.wrong_in):
            shown.rule("no bad case: nothing more to show")
            shown.say("Each answer is right or unreadable. For unreadable answers see model.ask, model.few_shot, "
                      "engine.max_new_tokens.")  # fmt: skip
            return None
        record = _round(shown, Round(
            number=1, method=small, data=few, state=RoundState(current=base, base=base), store=own, seed=seed,
        ))  # fmt: skip
    if record is None or not (seen := observations(small, [record])):
        shown.rule("no cost to report" if record is None else "the instructor costs nothing")
        return None
    write_json(folder / "preview_ledger.json", {"observed": {k: v for k, v in seen.items() if k in _OF_FEW}})
    return folder / "preview_ledger.json"


_OF_FEW = ("attempt_length", "chars_per_token", "output_tokens")  # observable from three problems


def _round(shown: Shown, r: Round) -> RoundRecord | None:
    """Run the round and show every decision; ``None`` if it ended before training."""
    errors = find_errors(r)
    if isinstance(errors, str):
        shown.rule(f"ended: {errors}")
        return None
    shown.rule("diagnoses and error types")
    for d in errors.diagnoses:
        said = d.keyphrase.phrase if d.keyphrase else f"refused: {d.rejection.reason if d.rejection else ''}"
        shown.say(f"{d.bad_case.problem.id}: {said}")
    for t in errors.error_map.types:
        shown.say(f"type {t.name!r}: {len(t.exemplars)} exemplars, {len(t.validation)} for validation")
    synthesis = write(r, errors)
    shown.rule(f"{len(synthesis.candidates)} new problems, {len(synthesis.rejections)} dropped")
    for c in synthesis.candidates:
        options = {"options": " ".join(c.options)} if c.options else {}
        shown.say(f"for {c.error_type!r}", question=c.question, **options, solution=c.solution, answer=c.answer)
    for x in synthesis.rejections:
        shown.say(f"dropped: {x.reason}", what=x.detail)
    if not synthesis.candidates:
        return None
    refined = keep(r, errors, synthesis)
    shown.rule("refinement")
    for s in refined.scored:
        shown.say(
            f"{'kept' if s.kept else 'dropped'} with score {s.score:.4g} ({s.reason}): {s.example.question[:100]}"
        )
    lesson, trained = train(r, errors, (refined,), errors.right.replay)
    shown.rule("training rows")
    for e in lesson.examples[:_WANTED]:
        shown.say(f"{e.source}", question=e.question, solution=e.solution)
    shown.say(f"{trained.examples} rows, {trained.steps} steps (the run: as configured), {trained.tokens} tokens")
    evaluation = evaluate(r.method, r.data, trained.checkpoint, r.store, r.seed)
    shown.rule("held-out answers after that")
    for g in evaluation:
        _show_attempt(shown, g)
    return RoundRecord(
        round=1, graded=errors.graded, diagnoses=errors.diagnoses, error_map=errors.error_map, opinion=errors.opinion,
        synthesis=synthesis, refined=refined, training=lesson.examples, withheld=lesson.withheld, trained=trained,
        evaluation=evaluation, scores=scores(evaluation),
    )  # fmt: skip


def _attempted(
    shown: Shown, method: Method, data: DataSet, base: Checkpoint, store: Store, seed: int
) -> tuple[Graded, ...]:
    """Return graded attempts at problems from all over the pool, until enough of them are bad cases."""
    step = max(1, len(data.pool) // _TRIED)
    spread = data.pool[::step][:_TRIED]
    found: tuple[Graded, ...] = ()
    for end in range(_WANTED, len(spread) + _WANTED, _WANTED):
        found = attempted(method, spread[:end], base, store, seed)
        bad = len(bad_cases(found, method.wrong_in))
        shown.say(f"{len(spread[:end])} of at most {len(spread)} problems tried: {bad} of {_WANTED} bad cases found")
        if bad >= _WANTED:
            break
    return found


def _show_attempt(shown: Shown, g: Graded) -> None:
    p = g.attempt.problem
    cut = "" if g.attempt.finished else ", cut at engine.max_new_tokens"
    read = f", read as {g.extracted!r}" if g.extracted else ""
    question = " ".join((p.question, *p.options))
    shown.say(f"{p.id}: {g.verdict}{read}{cut}; gold {p.answer!r}", question=question, output=g.attempt.output)


def _few(data: DataSet) -> tuple[Any, ...]:
    """Return one problem per held-out set."""
    return tuple({p.set: p for p in reversed(data.held_out)}.values())


def _small(method: Method) -> Method:
    """Return the method with a budget of a few problems and steps, otherwise as configured."""
    synthesize, finetune = method.synthesize, method.finetune
    if (budget := getattr(synthesize, "budget", None)) is not None:
        few = replace(budget, candidates=_WANTED, per_request=min(budget.per_request, _WANTED), scale=1, floor=0)
        synthesize = replace(synthesize, budget=replace(few, max_requests=2.0))  # type: ignore[type-var]
    if dataclasses.is_dataclass(schedule := getattr(finetune, "schedule", None)):
        least = {"steps": _STEPS, "epochs": 1}
        names = {f.name for f in dataclasses.fields(schedule)} & least.keys()
        short = replace(schedule, **{n: min(least[n], getattr(schedule, n)) for n in names})  # type: ignore[type-var]
        finetune = replace(finetune, schedule=short)  # type: ignore[type-var]
    return replace(method, synthesize=synthesize, finetune=finetune, max_fail_share=1.0, max_unreadable=1.0)


@contextmanager
def _watched(shown: Shown) -> Iterator[None]:
    WATCHING.append(shown.reply)
    lines = logging.getLogger("sei.store")
    before = lines.level
    lines.setLevel(logging.WARNING)  # its lines would mix with the output
    try:
        yield
    finally:
        lines.setLevel(before)
        WATCHING.remove(shown.reply)
