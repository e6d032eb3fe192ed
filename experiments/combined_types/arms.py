"""Arms and seeds of the protocol. Changing this file after the seeds were run breaks the freeze."""

from __future__ import annotations

from experiments.protocol import Protocol

SEEDS = tuple(range(211, 221))  # fresh: no choice was ever made on them

_COMBINED = ("synthesizer=combine", "budget.balance=1.0", "clusterer=ward")

ARMS: dict[str, tuple[str, ...]] = {
    "combined": _COMBINED,
    "combined_shuffled": (*_COMBINED[:2], "clusterer=shuffled", "clusterer@clusterer.inner=ward"),
    "combined_none": (*_COMBINED[:2], "clusterer=none"),
    "self_instruct": ("clusterer=ward",),
}

PROTOCOL = Protocol("combined_types", SEEDS, ARMS, {"main": ((), tuple(ARMS))})
