"""Time and devices of a run's stages, from the uses of its store."""

from __future__ import annotations

from collections.abc import Sequence

from sei.store.core import Use


def seconds_by_stage(uses: Sequence[Use]) -> dict[str, float]:
    """Return the seconds needed to make each stage's results, summed over its uses."""
    out: dict[str, float] = {}
    for u in uses:
        out[u.stage] = round(out.get(u.stage, 0.0) + u.seconds, 3)
    return out


def devices_by_stage(uses: Sequence[Use]) -> dict[str, str]:
    """Return the device that made each stage's results; stages without a recorded device are left out."""
    found: dict[str, set[str]] = {}
    for u in uses:
        found.setdefault(u.stage, set()).update(u.device.split(" + ") if u.device else ())
    return {stage: " + ".join(sorted(names)) for stage, names in found.items() if names}
