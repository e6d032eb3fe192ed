"""Whether an instructor made of rules can follow the worked solutions of a data set: tried before anything costs."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sei.ports import Instructor, Tracing
from sei.records import PoolProblem

log = logging.getLogger(__name__)
_LOOKED_AT = 50  # problems, spread over the pool
_FEW = 0.5  # share of solutions that are not followed, above which the log warns


def tell_traceable(instructor: Instructor, pool: Sequence[PoolProblem]) -> None:
    """Log what share of a sample of the pool rules can follow: as a warning, with what helps, where that is little."""
    if not isinstance(instructor, Tracing) or not pool:
        return
    some = list(pool)[:: max(1, len(pool) // _LOOKED_AT)][:_LOOKED_AT]
    missed = [p for p in some if not instructor.traces(p)]
    said = f"the rules of {type(instructor).__name__} follow {len(some) - len(missed)} of {len(some)} worked solutions"
    if len(missed) <= _FEW * len(some):
        log.info("%s that were looked at; the others give no new problems", said)
        return
    log.warning(
        "%s that were looked at; the others, such as %r, give no new problems. Remedy: instructor=openai_compatible or "
        "gpt4o, or solutions whose steps are annotated as in GSM8K (<<48/2=24>>)",
        *(said, (missed[0].solution or "(no solution)")[:120]),
    )
