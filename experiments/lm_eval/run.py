"""Print both comparisons: ``python -m experiments.lm_eval.run FOLDER --model FOLDER --data FOLDER [--n 48 32]``."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.lm_eval import causes, graders, sides
from experiments.lm_eval.graders import Both


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Both sides of a setting: the number of equal items, both scores, and every different answer by cause.

    ``unexplained``: different items without a rule.
    """

    n: int
    prompts: int
    outputs: int
    cut: int
    right: dict[str, tuple[int, int]]
    differ: Counter[str]
    unexplained: list[tuple[str, str, str]]


def compare(setting: sides.Setting, model: Path, data: Path, folder: Path, n: int, batch: int = 16) -> Compared:
    """Run both sides on the first ``n`` problems and compare them item by item."""
    folder.mkdir(parents=True, exist_ok=True)
    files = sides.files_of(setting, data, folder, n)
    theirs = {r["question"]: r for r in sides.theirs(setting, model, folder, files, batch)}
    mine = sides.ours(setting, model, folder, files, batch)
    tokens = _counter(model)
    cut = {r["question"]: tokens(theirs[r["question"]]["output"]) >= setting.max_new_tokens - 1 for r in mine}
    differ: Counter[str] = Counter()
    unexplained = []
    right = {}
    for metric, own in _metrics(setting).items():
        pairs = [(r[own], theirs[r["question"]][metric], r) for r in mine]
        right[metric] = tuple(sum(int(p[side]["score"]) for p in pairs) for side in (0, 1))
        for a, b, r in pairs:
            why = _why(setting, metric, a, b, r, cut[r["question"]])
            if why:
                differ[f"{metric}: {why}"] += 1
            elif a["score"] != b["score"]:
                unexplained.append((metric, r["question"], r["output"]))
    return Compared(
        n=len(mine),
        prompts=sum(r["prompt"] == theirs[r["question"]]["prompt"] for r in mine),
        outputs=sum(r["output"] == theirs[r["question"]]["output"].strip() for r in mine),
        cut=sum(cut.values()),
        right=right,  # type: ignore[arg-type]
        differ=differ,
        unexplained=unexplained,
    )


def _metrics(setting: sides.Setting) -> dict[str, str]:
    """Return the harness's metrics, each with the sei metric to compare."""
    if setting.data == "gsm8k":
        return {"strict-match": "strict-match", "flexible-extract": "flexible-extract"}
    return {"none": "flexible-extract"} | ({"math_verify": "flexible-extract"} if setting.name == "minerva" else {})


def _why(setting: sides.Setting, metric: str, a: Any, b: Any, row: dict[str, Any], cut: bool) -> str:
    if setting.data == "gsm8k":
        return causes.of_number(a["answer"], b["answer"], cut=cut, output=row["output"])
    if a["score"] == b["score"]:
        return ""
    name = "math_verify" if metric == "math_verify" else setting.name
    both = Both(row="", gold="", output=row["output"], verdict="", extracted=a["answer"], theirs={})
    return causes.CUT if cut and not a["score"] else causes.of_math(name, both)


def _counter(model: Path) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])


def differing(name: str, rows: list[Both]) -> dict[str, list[tuple[Both, str]]]:
    """Return, by metric, the outputs that only one grader calls right, each with its cause."""
    found: dict[str, list[tuple[Both, str]]] = {}
    for metric in graders.FILTERS[name]:
        if metric == "strict-match":
            continue  # the requested format: sei accepts a box
        odd = [b for b in rows if b.theirs[metric][0] != (b.verdict == "right")]
        found[metric] = [
            (b, causes.SINGLE.get(b.row, "") if name == graders.GSM8K else causes.of_math(metric, b)) for b in odd
        ]
    return found


def main() -> None:
    """Print the tables of ``README.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n", type=int, nargs=2, default=(48, 32), help="number of problems of GSM8K and of MATH")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--only", nargs="*", help="settings")
    said = parser.parse_args()
    for setting in sides.SETTINGS:
        if said.only is None or setting.name in said.only:
            n = said.n[setting.data == "math"]
            begin = time.perf_counter()
            found = compare(setting, said.model, said.data, said.folder / setting.name, n, said.batch)
            print(setting.name, found, f"{time.perf_counter() - begin:.0f} s", flush=True)
    if said.only is None:
        for name, n in ((graders.GSM8K, 500), (graders.MATH, 200)):
            _print_graders("gold", name, graders.gold(said.data, name, n), said.folder)
            _print_graders("collected", name, graders.collected(said.data, name), said.folder)


def _print_graders(what: str, name: str, rows: list[dict[str, Any]], folder: Path) -> None:
    found = graders.both(rows, name, folder / f"{what}_{name}")
    scores = {m: sum(b.theirs[m][0] for b in found) for m in graders.FILTERS[name]}
    print(what, name, len(rows), "ours", Counter(b.verdict for b in found), "theirs right", scores)
    for metric, odd in differing(name, found).items():
        print(" ", metric, Counter(why for _, why in odd))


if __name__ == "__main__":
    main()
