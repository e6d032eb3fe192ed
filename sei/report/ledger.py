"""``ledger.json``: what one invocation of the command made, reused and spent."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sei.estimate import observations
from sei.loop import Method
from sei.ports import Paid
from sei.records import RoundRecord
from sei.store import Store
from sei.store.uses import devices_by_stage


@dataclass(frozen=True, kw_only=True)
class LastTrained:
    """The last round's weights, which ``model/`` may not have; ``weights`` is their folder in the store."""

    round: int
    weights: str


def last_trained(records: Sequence[RoundRecord]) -> LastTrained | None:
    """Return the weights trained by the last round; ``None`` before the first round is done."""
    return LastTrained(round=records[-1].round, weights=records[-1].trained.checkpoint.folder) if records else None


def ledger(store: Store, method: Method, records: Sequence[RoundRecord]) -> dict[str, Any]:
    """Return what this invocation made and reused, by stage, and what it spent on a paid instructor.

    ``observed``: input of ``assume.ledger``, for the estimate of a larger run. ``last_trained``: the folder of the last
    round's weights, which may differ from ``model/``.
    """
    instructor = method.diagnose.instructor
    stages: dict[str, dict[str, Any]] = {}
    for u in store.uses:
        row = stages.setdefault(u.stage, {"made": 0, "reused": 0, "seconds": 0.0})
        row["made"] += u.made
        row["reused"] += u.reused
        row["seconds"] += u.seconds if u.made else 0.0
    for name, device in devices_by_stage(store.uses).items():
        stages[name]["device"] = device
    uses = [dataclasses.asdict(u) for u in store.uses]
    spent = instructor.spent() if isinstance(instructor, Paid) else {}
    second = getattr(method.second_opinion, "instructor", None)
    paid_too = {"second_instructor": second.spent()} if isinstance(second, Paid) else {}
    seen = observations(method, records)
    last = last_trained(records)
    return {
        "store": str(store.root),
        "instructor": spent,
        **paid_too,
        "observed": seen,
        "stages": stages,
        "uses": uses,
        **({"last_trained": dataclasses.asdict(last)} if last else {}),
    }
