"""The command: ``python -m benchmarks.gpu loop rates student [--toy] [--out FOLDER] [--model PATH] [--data DIR]``."""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import loop, rates, student
from benchmarks.gpu.table import show

PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "loop": loop.measure,
    "rates": rates.measure,
    "student": student.measure,
}


def machine() -> dict[str, Any]:
    """Return the names of device and libraries that the numbers belong to."""
    import peft
    import transformers

    cuda = torch.cuda.is_available()
    found = torch.cuda.get_device_properties(0) if cuda else None
    return {
        "device": found.name if found else f"{platform.processor() or platform.machine()} CPU",
        "memory_gib": round(found.total_memory / 2**30, 1) if found else None,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "peft": peft.__version__,
        "python": platform.python_version(),
    }


def main() -> None:
    """Run the named parts one after another; each prints JSON and a table and is written to ``--out``."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    asked.add_argument("parts", nargs="+", choices=list(PARTS))
    asked.add_argument("--toy", action="store_true", help="small sizes on the CPU: a rehearsal")
    asked.add_argument("--out", type=Path, default=Path("outputs/gpu"))
    asked.add_argument("--model", type=Path, help="folder or GGUF file of a small instruct model (student)")
    asked.add_argument("--data", type=Path, help="folder of data sets with gsm8k/main and svamp (student)")
    asked.add_argument("--seconds", type=float, default=240.0, help="student: start no further job after so long")
    asked.add_argument("--seeds", type=int, default=2, help="student: seeds an arm")
    asked.add_argument("--only", nargs="*", help="rates: names of single measurements")
    args = asked.parse_args()
    if not (args.toy or torch.cuda.is_available()):
        asked.error("torch sees no GPU here. Remedy: --toy for a rehearsal on the CPU, or a machine with a GPU.")
    args.out.mkdir(parents=True, exist_ok=True)
    about = machine()
    print(json.dumps(about), flush=True)
    for name in args.parts:
        started = time.monotonic()
        found = {"part": name, "toy": args.toy, **about, **PARTS[name](args)}
        found["seconds"] = round(time.monotonic() - started, 1)
        text = json.dumps(found, indent=1)
        (args.out / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(json.dumps(found), flush=True)
        show(name, found["rows"])
        print(f"{name}: {found['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
