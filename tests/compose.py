"""Composes the shipped configuration as the command line does, and builds its parts."""

from __future__ import annotations

from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from sei.__main__ import CONF, check
from sei.build import build

PARTS = ("data", "model", "method", "tracker")
SHORT = (
    *("experiment=smoke", "tracker=local", "data.pool=60", "data.dev=20", "data.test=20", "budget.candidates=15"),
    *("finetuner.schedule.steps=4",),
)
"""A run that takes seconds."""


def composed(*overrides: str) -> tuple[Any, dict[str, str]]:
    OmegaConf.register_new_resolver("sei_hex", lambda: "000000", replace=True)
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        cfg = compose("config", overrides=list(overrides), return_hydra_config=True)
    choices = dict(cfg.hydra.runtime.choices)
    OmegaConf.set_struct(cfg, False)
    del cfg["hydra"]
    return cfg, choices


def built(*overrides: str) -> dict[str, Any]:
    cfg, choices = composed(*overrides)
    plain = check(cfg, choices)
    return {k: build(plain[k], k, tuple(plain["plugins"])) for k in PARTS}
