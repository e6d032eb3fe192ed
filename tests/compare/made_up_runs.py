"""Made-up run folders with only the files that tables read."""

from __future__ import annotations

import json

import yaml

from sei.compare.measures import STAGES
from sei.compare.methods import blocks
from sei.compare.runs import collect

BEST = STAGES["best"]
CONFIG = {
    "name": "any",
    "seed": 1,
    "rounds": 2,
    "store": "somewhere",
    "budget_scale": 1,
    "model": {"name": "small", "source": "packaged:small"},
    "data": {"_target_": "sei.data.arithmetic.Arithmetic", "seed": "${seed}"},
    "clusterer": {"_target_": "sei.clusterers.agglomerative.Agglomerative", "max_types": 30},
    "synthesizer": {"_target_": "sei.synthesizers.self_instruct.SelfInstruct"},
    "refiner": {"_target_": "sei.refiners.one_shot_step.OneShotStep", "keep": 0.5},
    "ablation": {"name": "a label that nobody believes"},
}
NO_REFINEMENT = {"refiner": {"_target_": "sei.refiners.none.NoRefinement"}}
SETS = {"near": "in_domain", "far": "out_of_domain", "dev": "dev"}


def score(accuracy, role, n=100):
    return {"role": role, "n": n, "accuracy": accuracy, "correct": round(accuracy * n), "ci95": [0, 1]}


def stage(accuracy, sets=SETS, n=100):
    return {name: score(accuracy, role, n) for name, role in sets.items()}


def write(
    home, *, seed=1, base=0.5, rounds=(0.6, 0.7), best=None, sets=SETS, tokens=1000, candidates=400, held_out=None,
    **config
):  # fmt: skip
    (home / ".hydra").mkdir(parents=True)
    (home / ".hydra" / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "seed": seed, **config}))
    summary = {
        "seed": seed,
        "git_commit": "abc",
        "baseline": stage(base, sets),
        "rounds": [
            {"round": i, "scores": stage(a, sets), "synthesized": candidates, "trained_tokens": tokens}
            for i, a in enumerate(rounds, 1)
        ],
        "best_round": len(rounds) if best is None else best,
        **({"held_out": held_out} if held_out else {}),
    }
    (home / "summary.json").write_text(json.dumps(summary))
    return home


def write_items(home, where, name, right, stamp="2026-01-01T00-00-00.000000"):
    folder = home / where / "lm_eval"
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "doc": {"id": f"{name}-{i}", "question": f"q{i}"},
            "filter": f,
            "exact_match": float(v and f != "strict-match"),
        }
        for i, v in enumerate(right)
        for f in ("strict-match", "flexible-extract")
    ]
    (folder / f"samples_{name}_{stamp}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))


def set_accuracy(home, **by_set):
    """Set the accuracies of sets in the first round."""
    summary = json.loads((home / "summary.json").read_text())
    for name, value in by_set.items():
        summary["rounds"][0]["scores"][name]["accuracy"] = value
    (home / "summary.json").write_text(json.dumps(summary))


def read(*folders):
    return blocks(collect(folders)[0])[0]


def names(blocks_):
    return [m.name for b in blocks_ for m in b.methods]


def full_and_ablated(root):
    for seed, (a, b) in enumerate([(0.80, 0.75), (0.82, 0.74), (0.84, 0.80)], 1):
        write(root / "x" / str(seed), seed=seed, rounds=(0.6, a))
        write(root / "y" / str(seed), seed=seed, rounds=(0.6, b), **NO_REFINEMENT)
