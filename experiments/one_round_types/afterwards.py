"""What was asked after the protocol had run: ``python -m experiments.one_round_types.afterwards FOLDER [--jobs 2]``.

Not declared. Where does the lead of error types come from: from what is written, or from what refinement keeps? The
same seeds and budget without refinement, and with one pooled validation for all types. Runs what is missing, then
prints.
"""

from __future__ import annotations

import sys
from pathlib import Path

from experiments import protocol
from experiments.error_types.tables import level_table, pair_table
from experiments.one_round_types.arms import ARMS, SEEDS
from experiments.protocol import Protocol

_KEEP_ALL = ("refiner=none",)

LATER: dict[str, tuple[str, ...]] = {
    "full_unrefined": (*ARMS["full"], *_KEEP_ALL),
    "shuffled_unrefined": (*ARMS["full_shuffled"], *_KEEP_ALL),
    "none_unrefined": (*ARMS["none"], *_KEEP_ALL),
    "random_unrefined": ("synthesizer=random", *_KEEP_ALL),
    "full_pooled": (*ARMS["full"], "ablation=pooled_validation"),
}

_ARMS = {**{name: ARMS[name] for name in ("full", "full_shuffled", "none")}, **LATER}
PROTOCOL = Protocol("one_round_types", SEEDS, _ARMS, {"main": ((), tuple(_ARMS))})

PAIRS = (
    ("full", "full_unrefined"),
    ("full_shuffled", "shuffled_unrefined"),
    ("none", "none_unrefined"),
    ("full_unrefined", "shuffled_unrefined"),
    ("full_unrefined", "none_unrefined"),
    ("full_unrefined", "random_unrefined"),
    ("full", "full_pooled"),
    ("full_pooled", "full_shuffled"),
)
METRICS = {
    "out of domain, balanced over skills": ("arithmetic_far", "last", "macro"),
    "in domain": ("arithmetic_test", "last", "accuracy"),
}


def main() -> int:
    """Run what is missing and print the tables; returns the exit code of the runs."""
    code = protocol.run(PROTOCOL, __doc__)
    folder = Path(sys.argv[1])
    print("\n".join(level_table(folder, PROTOCOL, "full", METRICS)), end="\n\n")
    for title, metric in METRICS.items():
        print(f"**{title}**", end="\n\n")
        print("\n".join(pair_table(folder, PROTOCOL, PAIRS, metric)), end="\n\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
