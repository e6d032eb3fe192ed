"""Arms, learning rates and seeds of the protocol. Changing this file after the seeds were run breaks the freeze."""

from __future__ import annotations

from experiments.protocol import Protocol

SEEDS = (601, 602)
RATES = ("1e-4", "4e-4")  # as many tries for every arm; chosen on dev
_TEACHER = (  # a model of 1.5B behind a server, whose problems are solved a second time
    *(
        "instructor=openai_compatible",
        "instructor.agreement=true",
        "instructor.concurrency=2",
        "instructor.timeout=900",
    ),
)

ARMS: dict[str, tuple[str, ...]] = {  # in the order in which they are run
    "base": ("rounds=0",),
    "sei": (),
    "shuffled": ("clusterer=shuffled",),
    "correct_gold": ("synthesizer=direct_correction", "refiner=none", "cluster.exemplar_share=1.0"),
    "self_instruct": ("synthesizer=random", "refiner=none"),
    "rejection_sampling": ("synthesizer=rejection_sampling", "refiner=none", "synthesizer.samples=4"),
    "sei_1_5b_teacher": _TEACHER,
}
EXPLORATORY: dict[str, tuple[str, ...]] = {  # added after results of the arms above were seen, to explain them
    "sei_unrefined": ("refiner=none",),
}
PROTOCOL = Protocol("real_student", SEEDS, {**ARMS, **EXPLORATORY}, {"main": ((), (*ARMS, *EXPLORATORY))})
