"""Arms and seeds of the protocol. Changing this file after the seeds were run breaks the freeze."""

from __future__ import annotations

from experiments.protocol import Protocol

SEEDS = tuple(range(201, 211))  # fresh: no choice was ever made on them

_CORRECT = ("synthesizer=direct_correction", "refiner=none", "cluster.exemplar_share=1.0")

ARMS: dict[str, tuple[str, ...]] = {
    "full": (),
    "shuffled": (
        "clusterer=shuffled",
        "clusterer@clusterer.inner=agglomerative",
    ),
    "none": ("clusterer=none",),
    "full_pooled": ("scoring.min_validation=1000000",),
    "random": ("synthesizer=random", "refiner=none"),
    "correct_gold": _CORRECT,
    "correct_instructor": (*_CORRECT, "synthesizer.solutions=instructor"),
}

PROTOCOL = Protocol("error_types", SEEDS, ARMS, {"main": ((), tuple(ARMS))})
