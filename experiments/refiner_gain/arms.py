"""Arms and seeds of the protocol. Changing this file after the seeds were run breaks the freeze."""

from __future__ import annotations

from experiments.protocol import Protocol

SEEDS = (401, 402, 403, 404, 405)  # fresh: no choice was ever made on them

ARMS: dict[str, tuple[str, ...]] = {
    "none": ("refiner=none",),
    "random": ("refiner=random",),
    "perplexity": ("refiner=perplexity",),
    "one_shot_step": ("refiner=one_shot_step",),
    "gradient": ("refiner=gradient", "refiner.weights=all"),
    "one_shot_context": ("refiner=one_shot_context", "refiner.keep=0.5"),
    "one_shot_likelihood": ("refiner=one_shot_likelihood", "refiner.keep=0.5"),
    "difficulty": ("refiner=difficulty",),
    "diversity": ("refiner=diversity",),
    "perplexity_then_step": ("refiner=chain",),
    "gradient_lora": ("refiner=gradient",),  # added with the rerun, after the first results had been seen
}

PROTOCOL = Protocol("refiner_gain", SEEDS, ARMS, {"main": ((), tuple(ARMS))})
