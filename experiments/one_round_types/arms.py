"""Arms and seeds of the protocol. Changing this file after the seeds were run breaks the freeze."""

from __future__ import annotations

from experiments.protocol import Protocol

SEEDS = tuple(range(221, 231))  # fresh: no choice was ever made on them

_PLACEBO = ("clusterer=shuffled", "clusterer@clusterer.inner=ward")
_EQUAL = ("budget.balance=1.0",)
_COMBINE = ("synthesizer=combine",)

ARMS: dict[str, tuple[str, ...]] = {
    "full": ("clusterer=ward",),
    "full_shuffled": _PLACEBO,
    "none": ("clusterer=none",),
    "equal": ("clusterer=ward", *_EQUAL),
    "equal_shuffled": (*_PLACEBO, *_EQUAL),
    "combine": ("clusterer=ward", *_COMBINE),
    "combine_none": ("clusterer=none", *_COMBINE),
    "correct_gold": ("synthesizer=direct_correction", "refiner=none", "cluster.exemplar_share=1.0"),
}

PROTOCOL = Protocol("one_round_types", SEEDS, ARMS, {"main": ((), tuple(ARMS))})

PAIRS = (  # what is compared with what; the first two are primary
    ("full", "full_shuffled"),
    ("equal", "equal_shuffled"),
    ("full", "none"),
    ("equal", "full"),
    ("combine", "full"),
    ("combine", "combine_none"),
    ("full", "correct_gold"),
    ("equal", "correct_gold"),
)
