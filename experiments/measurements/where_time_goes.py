"""The cost of screening in a round without a model: synthesis of many candidates, then the curriculum.

``python -m experiments.measurements.where_time_goes``.

All problems of the pool count as bad cases, in ten types, two thirds of each exemplars and the others validation. The
embedded instructor writes ``--candidates`` (10,000) problems for them, and the curriculum chooses the training examples
among all of them. Prints the CPU seconds of both, with those inside the screen and inside ROUGE-L of the sieve, and a
digest of what was kept and dropped: two versions of sei agree if their digests do. Run it with each version in turn.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from experiments.measurements.refiners import parts
from sei.records import BadCase, ErrorMap, ErrorType, Keyphrase, PoolProblem, RefinedSet, Scored
from sei.screening.held_out import earlier_texts, held_out_texts, questions
from sei.screening.near import RougeIndex
from sei.screening.screen import HeldOutScreen
from sei.store import digest

_TYPES = 10


def error_map(pool: tuple[PoolProblem, ...]) -> ErrorMap:
    """Return error types of which all problems of the pool are members."""
    cases = [BadCase(problem=p, output="0", extracted="0") for p in pool]
    types = []
    for i in range(_TYPES):
        own = cases[i::_TYPES]
        members = tuple(Keyphrase(bad_case=c, phrase="wrong") for c in own)
        cut = 2 * len(own) // 3
        types.append(
            ErrorType(name=f"type {i}", members=members, exemplars=tuple(own[:cut]), validation=tuple(own[cut:]))
        )
    return ErrorMap(types=tuple(types))


@contextmanager
def clocked(seconds: Counter[str], owner: Any, name: str, what: str) -> Iterator[None]:
    """Add the CPU seconds of a method to ``seconds`` for the duration of a block."""
    was: Callable[..., Any] = getattr(owner, name)

    def measured(*given: Any, **more: Any) -> Any:
        start = time.process_time()
        try:
            return was(*given, **more)
        finally:
            seconds[what] += time.process_time() - start

    setattr(owner, name, measured)
    try:
        yield
    finally:
        setattr(owner, name, was)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("overrides", nargs="*")
    args = parser.parse_args()
    built = parts(f"budget.candidates={args.candidates}", *args.overrides)
    data, method = built["data"].load(), built["method"]
    found = error_map(data.pool)
    history: tuple[RefinedSet, ...] = ()
    method.decontaminate.embedder.embed(["loads the weights"])
    for number in range(1, args.rounds + 1):
        seconds: Counter[str] = Counter()
        apart, pool = held_out_texts(data, found), questions(data.pool)
        with clocked(seconds, HeldOutScreen, "reasons", "screen"), clocked(seconds, RougeIndex, "closest", "rouge"):
            start = time.process_time()
            screen = method.decontaminate.screen({**apart, "earlier": earlier_texts(history)}, pool)
            made = method.synthesize(found, data.pool, screen, number, seed=number)
            middle = time.process_time()
            in_synthesis = seconds["screen"]
            scored = tuple(Scored(example=x, score=0.0, kept=True, reason="kept") for x in made.candidates)
            history = (*history, RefinedSet(scored=scored))
            lesson = method.curriculum(history, (), method.decontaminate.screen(apart, pool), seed=number)
            end = time.process_time()
        print(
            f"round {number}: {len(made.candidates)} candidates, {len(made.rejections)} rejections, "
            f"{len(lesson.examples)} examples; synthesis {middle - start:.2f} s, curriculum {end - middle:.2f} s; "
            f"screen {in_synthesis:.2f} + {seconds['screen'] - in_synthesis:.2f} s, "
            f"all ROUGE-L {seconds['rouge']:.2f} s; {digest(made, lesson.examples, lesson.withheld)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
