"""Part (c): one round on GSM8K with a small instruct model from a local folder; several arms and seeds side by side.

Declared before it was run: the arms, seeds, sizes and the learning rate below. Nothing was tuned on a test set.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.runs import Run, accuracies

ASK = "$question\n\nEach step as one short sentence with its calculation in plain text, then #### number"
ARMS: dict[str, list[str]] = {  # in the order in which they are started
    "error types": [],
    "shuffled types": ["clusterer=shuffled"],
    "direct correction": ["synthesizer=direct_correction"],
    "rejection sampling": ["synthesizer=rejection_sampling"],
}
AT_ONCE = 4  # jobs that share the device


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Evaluate the base, then run every arm with every seed; each row holds accuracies with interval and n."""
    if args.model is None or args.data is None:
        return {"rows": [{"arm": "not run", "why": "--model and --data are missing"}]}
    home = args.out.resolve() / "student"
    home.mkdir(parents=True, exist_ok=True)
    ask = home / "ask.txt"
    ask.write_text(ASK, encoding="utf-8")
    folder = _folder(args.model.resolve(), home, toy=args.toy)
    settings = _settings(folder, ask, args)
    began = time.monotonic()
    base = Run(home / "base", home / "store", [*settings, "rounds=0"])
    base.wait(args.seconds)
    rows = [{"arm": "base", "seconds": round(base.seconds, 1), **accuracies(base.summary())}]
    print(rows[0], flush=True)
    if "failed" in rows[0]:
        return {"rows": rows}
    jobs = [(arm, seed) for seed in range(args.seeds) for arm in ARMS]
    going: list[tuple[str, int, Run]] = []
    while jobs or going:
        spent = time.monotonic() - began
        while jobs and len(going) < (1 if args.toy else AT_ONCE) and spent < args.seconds:
            arm, seed = jobs.pop(0)
            where = home / f"{arm.replace(' ', '_')}_{seed}"
            going.append((arm, seed, Run(where, home / "store", [*settings, *ARMS[arm], f"seed={seed}"])))
        for arm, seed, run in [g for g in going if g[2].over()]:
            rows.append(_row(arm, seed, run))
            print(rows[-1], flush=True)
        going = [g for g in going if not g[2].over()]
        if spent >= args.seconds:
            rows += [{"arm": arm, "seed": seed, "failed": "not run: no time left"} for arm, seed in jobs]
            jobs = []
            if spent >= args.seconds + 60:
                for _, _, run in going:
                    run.wait(0.1)
        time.sleep(0.2)
    return {"rows": rows, "settings": [s for s in settings if "=/" not in s]}


def _row(arm: str, seed: int, run: Run) -> dict[str, Any]:
    found = run.summary()
    last = found["rounds"][-1] if found.get("rounds") else {}
    kept = {k: last.get(k) for k in ("bad_cases", "unreadable", "synthesized", "refined", "trained_tokens")}
    return {
        "arm": arm,
        "seed": seed,
        "seconds": round(run.seconds, 1),
        **accuracies(found),
        **kept,
        "types": len(last.get("error_types", [])),
        "stages": last.get("seconds"),
    }


def _settings(model: Path, ask: Path, args: argparse.Namespace) -> list[str]:
    toy = args.toy
    machine = ["trainer=cpu"] if toy else ["trainer=gpu", "trainer.precision=bf16-true", "model.dtype=bfloat16"]
    sizes = (24, 4, 4, 6, 2) if toy else (400, 100, 300, 150, 60)
    pool, dev, test, candidates, steps = sizes
    return [
        *machine,
        "model=own",
        f"model.source={model}",
        f"model.ask={ask}",
        "data=gsm8k",
        f"data_folder={args.data.resolve()}",
        f"data.pool={pool}",
        f"data.dev={dev}",
        f"data.sets.gsm8k.limit={test}",
        "rounds=1",
        f"answer_tokens={80 if toy else 256}",
        f"engine.batch_size={24 if toy else 200}",
        f"budget.candidates={candidates}",
        "refiner=gradient",
        "scoring.weights=lora",
        "scoring.max_validation=8",
        "max_unreadable=1.0" if toy else "max_unreadable=0.5",
        "finetuner=lora",
        "finetuner.lr=2.0e-4",
        f"finetuner.schedule.steps={steps}",
        "finetuner.schedule.tokens_per_step=600",
        "replay=100",
        "near_duplicate=0.9",  # the symbolic teacher keeps the wording of an exemplar; 0.7 leaves nothing
    ]


def _folder(given: Path, home: Path, *, toy: bool) -> Path:
    """Return a Hugging Face folder: the given one, or weights of a GGUF file unpacked once."""
    file = given if given.suffix == ".gguf" else next(iter(sorted(given.glob("*.gguf"))), None)
    if file is None:
        return given
    folder = home / "model"
    if (folder / "config.json").exists():
        return folder
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    how: dict[str, Any] = {"gguf_file": file.name}
    dtype = torch.float32 if toy else torch.bfloat16
    AutoTokenizer.from_pretrained(file.parent, **how).save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(
        file.parent, dtype=dtype, quantization_config=GgufConfig(dequantize=True), **how
    )
    model.save_pretrained(folder)
    return folder
