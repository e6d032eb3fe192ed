"""Both sides answer the same rows with the same weights: ``sei rounds=0`` and ``lm_eval run``."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.lm_eval import harness

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One prompt format: a task of the harness, and the equivalent settings of sei.

    ``layout``: the text of the layout file; with ``chat`` it is inside the user turn (``model.ask``). ``own_shots``:
    the harness's own examples.
    """

    name: str
    task: str
    data: str
    layout: str
    chat: bool = False
    stop: tuple[str, ...]
    shots: int = 0
    own_shots: bool = False
    max_new_tokens: int = 160


GSM8K = {"task": "gsm8k/gsm8k", "data": "gsm8k", "stop": ("Question:", "</s>", "<|im_end|>")}
MATH = {"data": "math", "stop": ("Problem:",)}
SETTINGS = (
    Setting(name="gsm8k_plain", layout="Question: $question\nAnswer: $answer", **GSM8K),
    Setting(name="gsm8k_shots", layout="Question: $question\nAnswer: $answer", shots=4, **GSM8K),
    Setting(name="gsm8k_chat", layout="Question: $question\nAnswer:", chat=True, **GSM8K),
    Setting(
        name="hendrycks", task="hendrycks_math/hendrycks_math_algebra", layout="Problem: $question\nAnswer: $answer",
        **MATH,
    ),
    Setting(
        name="minerva", task="minerva_math/minerva_math_algebra", shots=4, own_shots=True,
        layout="Problem:\n$question\n\nSolution: $answer", **MATH,
    ),
)  # fmt: skip


def rows_of(data: Path, name: str, split: str, n: int) -> list[dict[str, Any]]:
    """Return the first rows of a data set by the hash of their question; for MATH only levels 1 and 2."""
    where = data / ("gsm8k/main" if name == "gsm8k" else "math") / f"{split}.jsonl.gz"
    with gzip.open(where, "rt", encoding="utf-8", newline="\n") as f:
        rows = [json.loads(line) for line in f]
    if name == "math":
        rows = [r for r in rows if r["level"] in ("Level 1", "Level 2")]
    return sorted(rows, key=lambda r: hashlib.sha256(asked(r).encode()).hexdigest())[:n]


def asked(row: dict[str, Any]) -> str:
    """Return the question of a row."""
    return str(row.get("question") or row["problem"])


def ours(setting: Setting, model: Path, folder: Path, files: dict[str, Path], batch: int) -> list[dict[str, Any]]:
    """Evaluate with sei and return one row per problem: prompt, output, strict and flexible answer and score.

    Raises:
        NotMadeError: with the last output of the program.
    """
    said = [
        *("rounds=0", "tracker=none", "max_unreadable=1", "data=jsonl", "data.dev=1", "model=own"),
        *(f"data.train={files['train']}", f"data.test={files['test']}", f"model.source={model}"),
        *(f"engine.max_new_tokens={setting.max_new_tokens}", f"engine.batch_size={batch}"),
        *(f"engine.stop={json.dumps(list(setting.stop))}", f"store={folder / 'store'}"),
        f"hydra.run.dir={folder / 'ours'}",
    ]
    (folder / "layout.txt").write_text(setting.layout)
    said += ["model.template=chat"] if setting.chat else []
    said.append(f"model.{'ask' if setting.chat else 'template'}={folder / 'layout.txt'}")
    if setting.shots:
        said.append(f"model.few_shot={files['shots']}")
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", "sei", *said], cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        raise harness.NotMadeError(f"sei {' '.join(said)}: {done.stderr.strip()[-1500:]}")
    return _rows(harness.samples(folder / "ours", "test"))


def theirs(setting: Setting, model: Path, folder: Path, files: dict[str, Path], batch: int) -> list[dict[str, Any]]:
    """Evaluate with ``lm_eval run`` and return the same rows."""
    more: dict[str, Any] = {"num_fewshot": setting.shots}
    if setting.shots and not setting.own_shots:
        more["fewshot_config"] = {"sampler": "first_n"}
    kept = {"do_sample": False, "max_gen_toks": setting.max_new_tokens, "until": list(setting.stop)}
    data = {"test": files["test"]} | ({} if setting.own_shots else {"train": files["shown"]})
    harness.write_task(folder / "tasks", setting.name, setting.task, data, generation_kwargs=kept, **more)
    chat = ["--apply_chat_template"] if setting.chat else []
    harness.run(
        [
            *("lm_eval", "run", "--model", "hf", "--model_args", f"pretrained={model},dtype=float32"),
            *("--tasks", setting.name, "--include_path", folder / "tasks", "--device", "cpu"),
            *("--batch_size", str(batch), "--output_path", folder / "theirs", "--log_samples", *chat),
        ]
    )
    return _rows(harness.samples(folder / "theirs", setting.name))


def files_of(setting: Setting, data: Path, folder: Path, n: int) -> dict[str, Path]:
    """Write the rows for both sides: the test set, sei's train file, and the shots for each side."""
    shots = rows_of(data, setting.data, "train", setting.shots)
    if setting.own_shots:
        harness.run(["experiments.lm_eval.harness", "shots", folder / "own.jsonl"])
        shots = harness.rows_in(folder / "own.jsonl")
    both = [{"question": asked(r), "solution": r.get("answer") or r["solution"]} for r in shots]
    return {
        "test": harness.write_rows(folder / "test.jsonl", rows_of(data, setting.data, "test", n)),
        "train": harness.write_rows(folder / "train.jsonl", rows_of(data, setting.data, "train", 20)[-10:]),
        "shown": harness.write_rows(folder / "shown.jsonl", shots or rows_of(data, setting.data, "train", 1)),
        "shots": harness.write_rows(folder / "shots.jsonl", both),
    }


def _rows(logged: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per problem from logged samples, which have one row per filter."""
    found: dict[str, dict[str, Any]] = {}
    for s in logged:
        row = found.setdefault(asked(s["doc"]), {})
        row |= {"question": asked(s["doc"]), "target": s["target"], "output": s["resps"][0][0]}
        row["prompt"] = s["arguments"]["gen_args_0"]["arg_0"]
        row[s["filter"]] = {"answer": s["filtered_resps"][0], "score": s["exact_match"]}
        if "math_verify" in s:
            row["math_verify"] = {"answer": "", "score": s["math_verify"]}
    return list(found.values())
