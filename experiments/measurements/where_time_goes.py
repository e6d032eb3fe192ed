"""The CPU time of screening in a round without a model, beside an earlier commit, in turn in one process.

``python -m experiments.measurements.where_time_goes [--candidates N] [--against COMMIT]``.

All problems of the pool count as bad cases, in ten types, two thirds of each exemplars and the others validation. The
embedded instructor writes N problems for them, once. Then each version screens them as synthesis does, reply by reply
and with its sieve, and screens the kept ones again as the curriculum does. All decisions must be equal.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from experiments.measurements.refiners import parts
from sei.records import BadCase, ErrorMap, ErrorType, Keyphrase, PoolProblem
from sei.screening import group, near, screen
from sei.screening.held_out import held_out_texts, questions
from sei.signature import masked_signature

_TYPES = 10


def error_map(pool: tuple[PoolProblem, ...]) -> ErrorMap:
    """Return error types of which all problems of the pool are members."""
    cases = [BadCase(problem=p, output="0", extracted="0") for p in pool]
    types = []
    for i in range(_TYPES):
        own = cases[i::_TYPES]
        members, cut = tuple(Keyphrase(bad_case=c, phrase="wrong") for c in own), 2 * len(own) // 3
        types.append(ErrorType(name=f"{i}", members=members, exemplars=tuple(own[:cut]), validation=tuple(own[cut:])))
    return ErrorMap(types=tuple(types))


def earlier(commit: str) -> tuple[ModuleType, ModuleType]:
    """Return the modules ``near`` and ``screen`` of an earlier commit, under other names."""
    found = []
    for name in ("near", "screen"):
        path = f"{commit}:sei/screening/{name}.py"
        text = subprocess.run(["git", "show", path], capture_output=True, text=True, check=True).stdout
        module = ModuleType(f"earlier_{name}")
        sys.modules[module.__name__] = module
        exec(text.replace("from sei.screening.near import", "from earlier_near import"), vars(module))
        found.append(module)
    return found[0], found[1]


class Replies:
    """A screen that notes what it is asked."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.asked: list[list[str]] = []

    def reasons(self, texts: Sequence[str]) -> list[str | None]:
        """Note and answer."""
        self.asked.append(list(texts))
        return list(self.inner.reasons(texts))


class Round:
    """What a round screens, and with what rules."""

    def __init__(self, candidates: int) -> None:
        built = parts(f"budget.candidates={candidates}")
        data, self.method = built["data"].load(), built["method"]
        found = error_map(data.pool)
        self.apart, self.pool = held_out_texts(data, found), questions(data.pool)
        self.known = [c.problem.question for t in found.types for c in (*t.exemplars, *t.validation)]
        replies = Replies(self.method.decontaminate.screen(self.apart, self.pool))
        made = self.method.synthesize(found, data.pool, replies, 1, seed=1)
        self.replies, self.kept = replies.asked, [c.question for c in made.candidates]

    def screened(self, near_texts: Any, screens: Any) -> list[str | None]:
        """Return all decisions of one version: those on the replies, then those on the kept candidates."""
        rules, rouge_l = self.method.decontaminate, self.method.synthesize.budget.rouge_l
        apart = screens.HeldOutScreen({**self.apart, "earlier": []}, rules, self.pool)
        index, signatures = near_texts.RougeIndex(self.known), {masked_signature(q) for q in self.known}
        out: list[str | None] = []
        for reply in self.replies:
            held_out = dict(zip(reply, apart.reasons(reply), strict=True))
            if hasattr(index, "look_ahead"):
                index.look_ahead((q for q, reason in held_out.items() if reason is None), rouge_l)
            for q in reply:
                reason = "duplicate_signature" if masked_signature(q) in signatures else held_out[q]
                if reason is None and index.closest(q, rouge_l) is not None:
                    reason = "rouge_l"
                out.append(reason)
                if reason is None:
                    signatures.add(masked_signature(q))
                    index.add(q)
        return out + list(screens.HeldOutScreen(self.apart, rules, self.pool).reasons(self.kept))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--against", default="92c3fc8")
    parser.add_argument("--times", type=int, default=5)
    args = parser.parse_args()
    before, given = earlier(args.against), Round(args.candidates)
    given.screened(*before)  # imports what both need
    for _ in range(args.times):
        group.group.cache_clear()
        start = time.process_time()
        old = given.screened(*before)
        middle = time.process_time()
        new = given.screened(near, screen)
        end = time.process_time()
        assert old == new, "the versions decide differently"
        print(
            f"{middle - start:.2f} s, {end - middle:.2f} s, ratio {(middle - start) / (end - middle):.2f}", flush=True
        )
    print(Counter(reason or "kept" for reason in new).most_common())


if __name__ == "__main__":
    main()
