"""Experiment tracking with W&B, in the only file that writes to it. Everything is rebuilt from records."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Literal

from sei.errors import ConfigError
from sei.exits import was_signal
from sei.parts import part
from sei.records import RoundRecord, Score, StepLog
from sei.report import interactive
from sei.store import write_atomic

_DATA = "WANDB_DATA_DIR"
_HOW = """This run was logged offline. To upload it, run in this folder:  wandb sync offline-run-*

All uploaded files are in the run folder: scores, tables and pictures below this folder, artifacts in round_*/ and
model/. W&B's file names the artifacts by their path at the time of the run:

    {folder}

So upload before you move the folder or copy it to another machine. Afterwards the whole run folder must be found at
that path again, by a link (ln -s NEW_PATH {folder}) or a mount; otherwise only the scores are uploaded.
"""
_SHOWN = 300  # rows of a W&B table
_FOLLOWED = 12  # largest error types of each round, to plot their sizes
# artifacts of a round: name, type, files; each is made from the one before
_LINE = (
    ("bad-cases", "bad-cases", ("bad_cases.jsonl",)),
    ("error-types", "error-types", ("error_types.json", "keyphrases.jsonl")),
    ("synthetic-data", "dataset", ("synthetic.jsonl",)),
    ("curated-data", "dataset", ("dataset/*", "refined.jsonl", "error_types.json", "dropped.jsonl")),
)


def _flat(scores: dict[str, Score]) -> dict[str, float]:
    out: dict[str, float] = {}
    for name, s in scores.items():
        out[f"{name}/accuracy"] = s.accuracy
        out[f"{name}/low95"], out[f"{name}/high95"] = s.ci95
    return out


def _speed(step: StepLog) -> dict[str, float]:
    """Return the throughput of a step by metric; nothing for a step without it."""
    held = asdict(step.throughput) if step.throughput else {}
    return {f"train/{name}": value for name, value in held.items() if value is not None}


def _learned_before(record: RoundRecord) -> bool:
    """Say whether the round's training also used synthetic examples of earlier rounds (``train_on=accumulated``)."""
    own = {x.id for x in record.refined.kept}
    return any(x.source == "synthetic" and x.id not in own for x in record.training)


@part
class WandbTracker:
    """Weights & Biases: one run per job, rounds on their own axis, tables and cluster maps per round.

    ``mode=offline`` needs no account; ``wandb sync`` uploads the run later. Command-line arguments and code are not
    recorded. Each round's bad cases, error types, synthetic data and curated data are artifacts; with ``log_model``, so
    is the run's model. ``made_from`` in an artifact's metadata names the artifacts it was made from, so a model can be
    traced back to bad cases, also offline. (W&B's own lineage connects runs, but here one run makes all artifacts.) An
    offline run keeps everything in its run folder, unless ``WANDB_DATA_DIR`` is set. W&B's file contains absolute
    paths: ``wandb/how_to_sync.txt`` says what to do after moving the folder.
    """

    identity: ClassVar[str] = "tracker/wandb"
    version: ClassVar[int] = 1
    mode: Literal["offline", "online"] = "offline"
    project: str = "sei"
    entity: str | None = None
    log_model: bool = True

    def start(self, name: str, config: dict[str, Any], folder: Path, *, group: str, run_id: str) -> WandbRun:
        """Open the run; an earlier one in this process is closed first.

        Raises:
            ConfigError: if an online run has no account.
        """
        import wandb

        elsewhere = os.environ.get(_DATA)
        if self.mode == "offline" and not elsewhere:
            home = folder.absolute() / "wandb"
            os.environ[_DATA] = str(home)  # W&B keeps copies of tables here until they are uploaded
            write_atomic(home / "how_to_sync.txt", _HOW.format(folder=folder.absolute()).encode())
        try:
            run = wandb.init(
                project=self.project,
                entity=self.entity,
                name=name,
                group=group or None,
                id=run_id,
                config=config,
                dir=str(folder),
                mode=self.mode,
                resume="allow" if self.mode == "online" else None,  # a repeated job continues its own run
                reinit="finish_previous",
                settings=wandb.Settings(x_disable_meta=True, save_code=False, silent=True, console="off"),
            )
        except wandb.errors.UsageError as e:
            raise ConfigError(
                f"tracker.mode={self.mode}: W&B says: {e}. Rule: online runs need an account. Remedy: wandb login, "
                "WANDB_API_KEY, or tracker=wandb_offline."
            ) from e
        run.define_metric("round")
        run.define_metric("eval/*", step_metric="round")
        run.define_metric("round/*", step_metric="round")
        run.define_metric("type_size/*", step_metric="round")
        run.define_metric("train/*", step_metric="train/step")

        run.config.update({"run_folder": folder.name}, allow_val_change=True)
        return WandbRun(run, log_model=self.log_model, data=elsewhere)


class WandbRun:
    """A W&B run that is open in this process."""

    def __init__(self, run: Any, *, log_model: bool, data: str | None) -> None:
        self._run, self._log_model, self._data = run, log_model, data
        self._steps = 0  # optimizer steps of the rounds logged so far

    def baseline(self, scores: dict[str, Score]) -> None:
        """Log the base model as round 0."""
        self._run.log({"round": 0, **{f"eval/{k}": v for k, v in _flat(scores).items()}})

    def round(self, record: RoundRecord, report: dict[str, Any], folder: Path) -> None:
        """Log curves, scores, tables and pictures of one round."""
        import wandb

        for s in record.trained.curve:
            point = {"train/step": self._steps + s.step, "train/loss": s.loss, "train/tokens": s.tokens}
            self._run.log({**point, **_speed(s)})
        self._steps += record.trained.steps
        counts = {k: v for k, v in report.items() if isinstance(v, (int, float)) and k != "round"}
        self._run.log(
            {
                "round": record.round,
                **{f"eval/{k}": v for k, v in _flat(record.scores).items()},
                **{f"round/{k}": v for k, v in counts.items()},
                **{f"round/dropped/{k}": v for k, v in report["dropped"].items()},
                **{f"round/seconds/{k}": v for k, v in report["seconds"].items()},
                "round/error_types": len(record.error_map.types),
                **{f"type_size/{t.label[:80]}": len(t.members) for t in record.error_map.types[:_FOLLOWED]},
                "round/cluster_map": wandb.Plotly(interactive.cluster_map(record.error_map)),
                **self._picture("cluster_map_picture", folder / "cluster_map.png"),
                **self._picture("criterion_curve", folder / "criterion_curve.png"),
                **self._picture("refinement_scores", folder / "refinement_scores.png"),
                "round/bad_cases_table": self._bad_cases(record),
                "round/synthetic_table": self._synthetic(record),
                "round/error_types_table": self._types(record),
                **self._picture("error_type_flow", folder.parent / "error_type_flow.png"),
            }
        )
        self._line(record, folder, counts)

    def _line(self, record: RoundRecord, folder: Path, counts: dict[str, Any]) -> None:
        """Log a round's artifacts, each with its sources."""
        before: list[str] = []
        for name, kind, patterns in _LINE:
            if not any(folder.glob(patterns[0])):
                return  # with given outputs, a round ends after the error types
            if name == "curated-data" and record.round > 1 and _learned_before(record):
                before.append(self._versioned(name, record.round - 1))
            self._artifact(name, kind, folder, patterns, {"round": record.round, "made_from": before, **counts})
            before = [self._versioned(name, record.round)]

    def model(self, folder: Path, scores: dict[str, Score], rounds: tuple[int, ...]) -> None:
        """Log the run's model with its scores."""
        if self._log_model and list(folder.glob("*.safetensors")):
            made_from = [self._versioned("curated-data", n) for n in rounds]
            self._artifact("model", "model", folder, ("**/*",), {"made_from": made_from, **_flat(scores)})

    def _versioned(self, name: str, number: int) -> str:

        return f"{name}-{self._run.id}:round-{number}"

    def _artifact(self, name: str, kind: str, folder: Path, patterns: Sequence[str], metadata: dict[str, Any]) -> None:
        import wandb

        artifact = wandb.Artifact(f"{name}-{self._run.id}", type=kind, metadata=metadata)
        for path in sorted({p for pattern in patterns for p in folder.glob(pattern) if p.is_file()}):
            # run folders do not change, so the weights need no second copy
            artifact.add_file(str(path), name=path.relative_to(folder).as_posix(), policy="immutable", skip_cache=True)
        self._run.log_artifact(artifact, aliases=[f"round-{metadata['round']}"] if "round" in metadata else ["best"])

    def _picture(self, name: str, picture: Path) -> dict[str, Any]:
        import wandb

        return {f"round/{name}": wandb.Image(str(picture))} if picture.exists() else {}

    def _types(self, record: RoundRecord) -> Any:
        import wandb

        rows = [
            [t.name, len(t.members), len(t.exemplars), len(t.validation), "; ".join(k.phrase for k in t.members[:3])]
            for t in record.error_map.types
        ]
        return wandb.Table(columns=["error type", "size", "exemplars", "validation", "keyphrases"], data=rows)

    def _bad_cases(self, record: RoundRecord) -> Any:
        import wandb

        named = {k.bad_case.problem.id: (k.phrase, t.name) for t in record.error_map.types for k in t.members}
        rows = [
            [b.problem.question, b.problem.solution, b.output, *named.get(b.problem.id, ("", ""))]
            for b in [d.bad_case for d in record.diagnoses][:_SHOWN]
        ]
        return wandb.Table(columns=["question", "reference", "output", "keyphrase", "error type"], data=rows)

    def _synthetic(self, record: RoundRecord) -> Any:
        import wandb

        rows = [
            [s.example.error_type, s.example.question, s.example.solution, s.score, s.kept, s.reason]
            for s in record.refined.scored[:_SHOWN]
        ]
        return wandb.Table(columns=["error type", "question", "solution", "score", "kept", "reason"], data=rows)

    def finish(self, summary: dict[str, Any], exit_code: int) -> None:
        """Close the run, also after a failure."""
        if summary:
            self._run.summary["config_digest"] = summary["config_digest"]
        if was_signal(exit_code):
            self._run.mark_preempting()
        try:
            self._run.finish(exit_code=exit_code)
        finally:
            os.environ.pop(_DATA, None)
            if self._data is not None:  # restore it for the next run in this process
                os.environ[_DATA] = self._data
