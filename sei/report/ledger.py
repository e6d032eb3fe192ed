"""``ledger.json``: what one start of the command made, reused and spent."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from sei.estimate import observations
from sei.loop import Method
from sei.ports import Paid
from sei.records import RoundRecord
from sei.store import Store
from sei.store.uses import devices_by_stage


def ledger(store: Store, method: Method, records: Sequence[RoundRecord]) -> dict[str, Any]:
    """Return what this invocation made and reused, by stage, and what it spent on an instructor that costs.

    ``observed`` is what ``assume.ledger`` reads for the estimate of a larger run.
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
    return {"store": str(store.root), "instructor": spent, **paid_too, "observed": seen, "stages": stages, "uses": uses}
