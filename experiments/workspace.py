"""A prepared W&B workspace for logged runs.

``python -m experiments.workspace FOLDER... --entity NAME [--project sei] [--name TITLE] [--sweep GROUP]
[--preview FILE]``

The sets, and whether they are out of domain, are read from the folders. Sections: scores over rounds, with one panel
per set and lines averaged over the seeds of a method; the work of each round; error types; training. ``--preview``
writes the workspace as JSON without a server. Needs the extra ``workspace`` and, without ``--preview``, ``wandb
login``.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sei.compare.runs import Run, collect
from sei.store import write_atomic

_ROLES = {"in_domain": "in domain", "out_of_domain": "out of domain", "dev": "dev"}
_COUNTS = ("bad_cases", "error_types", "synthesized", "refined", "trained_tokens", "fixed", "broken", "kept")
_PICTURES = ("cluster_map_picture", "error_type_flow", "refinement_scores", "criterion_curve")
_TABLES = ("error_types_table", "bad_cases_table", "synthetic_table")
# runs with equal values of these are of one method
_METHOD = (
    *("model.name", "data._target_", "ablation.name", "clusterer._target_", "synthesizer._target_"),
    *("refiner._target_", "finetuner._target_"),
)


def workspace(runs: Sequence[Run], *, entity: str, project: str, name: str, sweep: str | None = None) -> Any:
    """Return the workspace (``wandb_workspaces.workspaces.Workspace``), not yet saved."""
    with warnings.catch_warnings():  # the library still writes validators in pydantic's old style
        warnings.simplefilter("ignore", DeprecationWarning)
        import wandb_workspaces.reports.v2 as wr
        import wandb_workspaces.workspaces as ws

    sets = {k: s.role for r in runs for k, s in r.summary.baseline.items()}
    scores = [
        wr.LinePlot(title=f"{k} ({_ROLES[role]})", x="round", y=[f"eval/{k}/accuracy"], groupby_rangefunc="stderr")
        for k, role in sorted(sets.items(), key=lambda x: list(_ROLES).index(x[1]))
    ]
    rounds = [wr.LinePlot(title=k.replace("_", " "), x="round", y=[f"round/{k}"]) for k in _COUNTS]
    types = [
        wr.LinePlot(title="size of error types", x="round", metric_regex="type_size/.*"),
        *(wr.MediaBrowser(title=k.replace("_", " "), media_keys=[f"round/{k}"]) for k in _PICTURES),
        *(wr.WeavePanelSummaryTable(table_name=f"round/{k}") for k in _TABLES),
    ]
    training = [wr.LinePlot(title="training loss", x="train/step", y=["train/loss"])]
    chosen: Any = ws.And(ws.Metric("Group") == sweep) if sweep else ""
    return ws.Workspace(
        entity=entity,
        project=project,
        name=name,
        sections=[
            ws.Section(name="Scores", panels=scores, is_open=True),
            ws.Section(name="Rounds", panels=rounds, is_open=True),
            ws.Section(name="Error types", panels=types, is_open=True),
            ws.Section(name="Training", panels=training),
        ],
        settings=ws.WorkspaceSettings(x_axis="round", max_runs=100),
        runset_settings=ws.RunsetSettings(groupby=[ws.Config(k) for k in _METHOD], filters=chosen),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Make the workspace of the folders in ``argv`` (default: the command line); the exit code is 2 on failure."""
    parser = argparse.ArgumentParser(prog="python -m experiments.workspace", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="+", type=Path, help="run folders or folders of runs")
    parser.add_argument("--entity", required=True, help="W&B user or team")
    parser.add_argument("--project", default="sei")
    parser.add_argument("--name", default="Self-Error-Instruct", help="title of the workspace")
    parser.add_argument("--sweep", help="show only the runs of this W&B group (a sweep folder's name)")
    parser.add_argument("--preview", type=Path, help="write JSON here instead of using W&B")
    args = parser.parse_args(argv)
    runs, _ = collect(args.folder)
    if not runs:
        return _fail(f"no finished run below {', '.join(map(str, args.folder))} (a run holds summary.json)")
    try:
        made = workspace(runs, entity=args.entity, project=args.project, name=args.name, sweep=args.sweep)
    except ModuleNotFoundError as e:
        return _fail(f"{e}. Remedy: pip install -c constraints.txt 'sei[workspace]'")
    if args.preview:
        write_atomic(
            args.preview, made._to_model().model_dump_json(by_alias=True, exclude_none=True, indent=1).encode()
        )
        print(args.preview)
        return 0
    try:
        made.save()
    except Exception as e:  # the library passes on any error of its transport
        return _fail(
            f"W&B refused the workspace: {e}. Remedy: wandb login, and an --entity and --project you may write to"
        )
    print(made.url)
    return 0


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
