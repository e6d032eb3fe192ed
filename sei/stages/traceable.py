"""Checks, before any cost arises, whether a rule-based instructor can follow a data set's worked solutions."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sei.ports import Instructor, Tracing
from sei.records import PoolProblem

log = logging.getLogger(__name__)
_LOOKED_AT = 50  # problems to check, spread over the pool
_FEW = 0.5  # the log warns if a larger share of solutions is not followed


def tell_traceable(instructor: Instructor, pool: Sequence[PoolProblem]) -> None:
    """Log how many sampled solutions of the pool the rules can follow. If they are few, warn and name a remedy."""
    if not isinstance(instructor, Tracing) or not pool:
        return
    some = list(pool)[:: max(1, len(pool) // _LOOKED_AT)][:_LOOKED_AT]
    missed = [p for p in some if not instructor.traces(p)]
    said = f"the rules of {type(instructor).__name__} follow {len(some) - len(missed)} of {len(some)} worked solutions"
    if len(missed) <= _FEW * len(some):
        log.info("%s in a sample; the others give no new problems", said)
        return
    log.warning(
        "%s in a sample; the others, such as %r, give no new problems. Remedy: instructor=openai_compatible or gpt4o, "
        "or solutions with annotated steps as in GSM8K (<<48/2=24>>)",
        *(said, (missed[0].solution or "(no solution)")[:120]),
    )
