"""Arms and seeds of the protocol. Changing this file after the seeds were run breaks the freeze."""

from __future__ import annotations

from experiments.protocol import Protocol

SEEDS = tuple(range(431, 437))  # fresh: no choice was ever made on them; run in this order as far as hours allow

ARMS: dict[str, tuple[str, ...]] = {
    "full": ("clusterer=ward",),
    "shuffled": ("clusterer=shuffled", "clusterer@clusterer.inner=ward"),
    "none": ("clusterer=none",),
    "random": ("synthesizer=random", "refiner=none"),
}

PROTOCOL = Protocol("words_types", SEEDS, ARMS, {"main": ((), tuple(ARMS))})
