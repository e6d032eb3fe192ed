"""Blocks, arms and seeds of the protocol. Changing this file after the seeds were run breaks the freeze."""

from __future__ import annotations

from experiments.protocol import Protocol

SEEDS = (101, 102, 103, 104, 105)  # fresh: no choice was ever made on them

ARMS: dict[str, tuple[str, ...]] = {
    "sei": (),
    "random": ("synthesizer=random", "refiner=none"),
    "correct_gold_all": ("synthesizer=direct_correction", "refiner=none", "cluster.exemplar_share=1.0"),
    "correct_gold_part": ("synthesizer=direct_correction", "refiner=none"),
    "correct_instructor_all": (
        "synthesizer=direct_correction",
        "synthesizer.solutions=instructor",
        "refiner=none",
        "cluster.exemplar_share=1.0",
    ),
    "correct_instructor_part": (
        "synthesizer=direct_correction",
        "synthesizer.solutions=instructor",
        "refiner=none",
    ),
    "shuffled_clusters": (
        "clusterer=shuffled",
        "clusterer@clusterer.inner=agglomerative",
    ),
    "no_clusters": ("clusterer=none",),
    "no_refinement": ("refiner=none",),
    "perplexity_filter": ("refiner=perplexity",),
    "random_filter": ("refiner=random",),
    "single_round": ("rounds=1",),
    "single_round_total": ("rounds=1", "budget_scale=3"),
}

BLOCKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # block: what all its arms share, its arms
    "main": ((), tuple(ARMS)),
    "base_h": (("model=tiny_h",), ("sei", "random", "no_refinement")),
    "flaws_0": (("instructor.flaw_rate=0.0",), ("sei", "random", "no_refinement")),
    "flaws_25": (("instructor.flaw_rate=0.25",), ("sei", "random", "no_refinement")),
}

PROTOCOL = Protocol("first_measurement", SEEDS, ARMS, BLOCKS)
