"""Runs lm-evaluation-harness in a separate process, with its own tasks on given rows.

As a program it grades existing outputs with the tasks of a folder:
``python -m experiments.lm_eval.harness TASKS_FOLDER OUTPUTS.jsonl FOLDER TASK...``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
ANTLR = "antlr4-python3-runtime==4.11.0"
"""Needed by its minerva_math. It is installed in a separate folder, because hydra-core needs antlr 4.9."""


class NotMadeError(Exception):
    """Why the harness cannot run."""


def antlr() -> Path:
    """Return the folder with the antlr of minerva_math; the folder is made if missing.

    Raises:
        NotMadeError: with the last output of pip.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "sei-tests" / ANTLR.replace("==", "-")
    if not (folder / "antlr4").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
        made = subprocess.run([*pip, "--target", folder, ANTLR], capture_output=True, text=True, check=False)
        if made.returncode:
            raise NotMadeError(f"pip cannot install {ANTLR}: {made.stderr.strip()[-300:]}")
    return folder


def run(arguments: Sequence[str | Path]) -> None:
    """Run ``python -m ARGUMENTS`` with the harness's antlr.

    Raises:
        NotMadeError: with the last output of the failed command.
    """
    path = os.pathsep.join([str(antlr()), *(p for p in (os.environ.get("PYTHONPATH"),) if p)])
    env = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        raise NotMadeError(f"{' '.join(map(str, arguments))}: {done.stderr.strip()[-1500:]}")


def shipped(task: str) -> Path:
    """Return the harness's file of a task, such as ``gsm8k/gsm8k``."""
    spec = importlib.util.find_spec("lm_eval")
    if spec is None or spec.origin is None:
        raise NotMadeError("needs pip install 'sei[lm-eval]'")
    return Path(spec.origin).parent / "tasks" / f"{task}.yaml"


def write_task(folder: Path, name: str, task: str, data: Mapping[str, Path], **more: Any) -> None:
    """Write a shipped task with other rows; its prompt, stop strings, filters and metrics stay."""
    import yaml

    files = {split: str(path) for split, path in data.items()}
    own = {
        "include": str(shipped(task)),
        "task": name,
        "tag": [],
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": files},
        "training_split": None,
        "fewshot_split": "train" if "train" in data else None,
        "test_split": "test",
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(own, sort_keys=False))


def samples(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the logged samples of a task from the files of a run."""
    (file,) = folder.rglob(f"samples_{name}_2*.jsonl")
    return rows_in(file)


def rows_in(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]


def write_rows(file: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write rows as JSON lines and return the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    return file


def _grade_given(tasks: Path, outputs: Path, folder: Path, names: Sequence[str]) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

    given = {r["row"]: r["output"] for r in rows_in(outputs)}

    class Given(LM):
        """Answers every row with its existing output."""

        def generate_until(self, requests: Any, **_: Any) -> list[str]:
            return [given[r.doc["row"]] for r in requests]

        def loglikelihood(self, requests: Any, **_: Any) -> Any:
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    manager = TaskManager(include_path=str(tasks))
    found = simple_evaluate(model=Given(), tasks=list(names), task_manager=manager, bootstrap_iters=0, num_fewshot=0)
    for name in names:
        write_rows(folder / f"samples_{name}_2.jsonl", ({**s, "doc": dict(s["doc"])} for s in found["samples"][name]))


def _write_shots(file: Path) -> None:
    """Write the worked examples that minerva_math shows before every question."""
    from lm_eval.tasks.minerva_math.utils import list_fewshot_samples

    write_rows(file, list_fewshot_samples())


if __name__ == "__main__" and sys.argv[1] == "shots":
    _write_shots(Path(sys.argv[2]))
elif __name__ == "__main__":
    _grade_given(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
