"""Tries prompts on dev rows of the training splits.

``python -m experiments.real_student.prompt MODEL DATA [ROWS [OUT]]``.

``MODEL``: a Hugging Face folder. ``DATA``: a folder with GSM8K and MATH. ``OUT`` gets the outputs. A row for each
variant and set: right and unreadable answers, answers cut at the length cap, and tokens of an answer, with n. No test
row is read.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from sei.data.competition import Math
from sei.data.school import Gsm8k
from sei.data.study import Study
from sei.grading.grader import MathGrader
from sei.lit.shared_prefix import SharedPrefix
from sei.models.target import TargetModel
from sei.records import Checkpoint

HERE = Path(__file__).parent
SHOTS, SHORT = str(HERE / "shots.jsonl"), str(HERE / "ask_short.txt")
VARIANTS: dict[str, dict[str, Any]] = {
    "short, 3 shots": {"ask": SHORT, "few_shot": SHOTS},
    "short": {"ask": SHORT},
    "no chat, 3 shots": {"ask": "plain", "few_shot": SHOTS, "template": "plain"},
    "hash, 3 shots": {"ask": "hash", "few_shot": SHOTS},
    "hash": {"ask": "hash"},
}
LONGEST = 256  # new tokens


def main(model: str, data: str, rows: int, out: Path | None) -> None:
    """Print a table row for each variant and set."""
    sets = {"gsm8k": Gsm8k(folder=data, limit=300), "math": Math(folder=data, limit=150, levels=[1, 2, 3])}
    held = Study(sets=sets, dev={"gsm8k": rows, "math": rows // 2}, pool=10).load().held_out
    dev = [p for p in held if p.role == "dev"]
    grader = MathGrader()
    print("| prompt | set | n | right | unreadable | cut | tokens of an answer | CPU seconds |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name, how in VARIANTS.items():
        target = TargetModel(**{"template": "chat", **how}, source=model, threads=1)
        began = time.process_time()
        with target.open(Checkpoint(digest="base")) as opened:
            prompts = opened.prompts([p.question for p in dev])
            answers = SharedPrefix(opened, rows=96).answers([prompts], LONGEST, ("Question:",))[0]
            lengths = [len(opened.tokenizer(a.text)["input_ids"]) for a in answers]
        spent = time.process_time() - began
        verdicts = [grader.grade(p, a.text, finished=a.finished) for p, a in zip(dev, answers, strict=True)]
        found = list(zip(dev, answers, lengths, verdicts, strict=True))
        for which in ("gsm8k_dev", "math_dev"):
            mine = [x for x in found if x[0].set == which]
            said = [v.verdict for *_, v in mine]
            cut = sum(not a.finished for _, a, *_ in mine)
            mean = sum(n for _, _, n, _ in mine) / len(mine)
            numbers = (len(mine), said.count("right"), said.count("unreadable"), cut, f"{mean:.0f}", f"{spent:.0f}")
            print("|", " | ".join(map(str, (name, which, *numbers))), "|", flush=True)
        if out is not None:
            rows = [{"prompt": name, "id": p.id, "gold": p.answer, "output": a.text} for p, a, *_ in found]
            with out.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(r) + "\n" for r in rows)


if __name__ == "__main__":
    model, data, *more = sys.argv[1:]
    main(model, data, int(more[0]) if more else 24, Path(more[1]) if len(more) > 1 else None)
