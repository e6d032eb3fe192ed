"""``model/``: the best checkpoint as a Hugging Face folder, and the adapter merged into it, with cards."""

from __future__ import annotations

import json
import logging
import shlex
import shutil
from pathlib import Path
from typing import Any

from sei.models.portable import OLD, folder_obstacles, mend
from sei.records import Checkpoint, Score
from sei.report.cards import Origin, cell, header, provenance, table
from sei.report.ledger import LastTrained
from sei.store import write_atomic

log = logging.getLogger(__name__)
_BASE = "base"  # folder inside the adapter's: its base weights, if they are not published


def write_model(
    folder: Path,
    checkpoint: Checkpoint,
    scores: dict[str, Score],
    origin: Origin,
    *,
    best_round: int,
    last: LastTrained | None = None,
) -> None:
    """Copy the best checkpoint with a model card. If the best is the original target model, it is named, not copied.

    A LoRA checkpoint is copied twice: merged, and as ``adapter/``. If no round was better than the base, the card says
    how to get the ``last`` trained weights.
    """
    home = folder / "model"
    shutil.rmtree(home, ignore_errors=True)  # an earlier job may have left other weights here
    if checkpoint.kind != "base":
        _copy(checkpoint.folder, home)
        mend(home)  # corrects files stored by an older sei
        if found := folder_obstacles(home):
            log.warning("programs with transformers %s may read model/ differently: %s", OLD, "; ".join(found))
    if checkpoint.adapter:
        _write_adapter(home / "adapter", checkpoint, scores, origin, best_round)
    card = _model_card(home, checkpoint, scores, origin, best_round)
    if last and not best_round:
        card += f"\n## The last trained weights\n\n{_how_to_get(last)}"
    write_atomic(home / "README.md", card.encode())


def instead(last: LastTrained | None) -> str:
    """Return in one line where the last round's weights are, for a run in which no round was better on dev."""
    return f"the weights of round {last.round} are in {last.weights}" if last else ""


def _how_to_get(last: LastTrained) -> str:
    return (
        f"Round {last.round} was not better than the base on dev. Its weights are in the store until they are pruned. "
        "In this folder, this command copies them:\n\n"
        f"```\ncp -r {shlex.quote(last.weights)} ../last_round\n```\n"
    )


def _copy(folder: str | Path, home: Path) -> None:
    """Copy a folder's files with default permissions, since weights in the store are readable by their owner only."""
    shutil.copytree(folder, home, copy_function=shutil.copyfile)


def _write_adapter(
    home: Path, checkpoint: Checkpoint, scores: dict[str, Score], origin: Origin, best_round: int
) -> None:
    _copy(checkpoint.adapter, home)
    onto = checkpoint.onto
    own = onto is not None and onto.kind != "base"
    if onto is not None and own:
        _copy(onto.folder, home / _BASE)
        mend(home / _BASE)
    path = home / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = _BASE if own else origin.target.source
    config["revision"] = None if own else origin.target.revision
    write_atomic(path, (json.dumps(config, indent=2) + "\n").encode())
    write_atomic(home / "README.md", _adapter_card(own, scores, origin, best_round).encode())


def _fields(origin: Origin, library: str, relation: str, *tags: str) -> dict[str, Any]:
    known = {"base_model": origin.hub_id, "base_model_relation": relation} if origin.hub_id else {}
    more = {"pipeline_tag": "text-generation", "tags": ["self-error-instruct", *tags]}
    return {"library_name": library, **known, **more}


def _model_card(home: Path, checkpoint: Checkpoint, scores: dict[str, Score], origin: Origin, best_round: int) -> str:
    name = cell(origin.target.name)
    if checkpoint.kind == "base":
        what = f"No round improved on {name} on dev, so there are no new weights here."
        use = ""
    else:
        lora = " merged from a LoRA adapter, which is in `adapter/`" if checkpoint.adapter else ""
        trained = f"round {best_round}" if best_round else "the warm-up"
        data = f", trained on `round_{best_round}/dataset`" if best_round else ""
        what = f"{name} after {trained} of Self-Error-Instruct{data}: all weights{lora} (digest {checkpoint.digest})."
        use = "## Use\n\nIn this folder:\n\n" + _code(
            "from transformers import AutoModelForCausalLM, AutoTokenizer",
            "",
            'model = AutoModelForCausalLM.from_pretrained(".")',
            'tokenizer = AutoTokenizer.from_pretrained(".")',
        )
        use += _readers(home)
    return _join(header(_fields(origin, "transformers", "finetune")), what, use, scores, origin)


def _readers(home: Path) -> str:
    found = folder_obstacles(home)
    if not found:
        return f"\nThe settings work for transformers {OLD} and 5.\n"
    why = "; ".join(cell(f) for f in found)
    return f"\nTransformers {OLD} and programs based on it may read this folder differently from 5: {why}.\n"


def _adapter_card(own: bool, scores: dict[str, Score], origin: Origin, best_round: int) -> str:
    target = origin.target
    if own:
        onto = f"the weights in `{_BASE}/`, which are {cell(target.name)} after a warm-up in the answer format"
    else:
        onto = f"the weights of {cell(origin.hub_id or target.name)}"
    what = f"LoRA adapter of round {best_round} of Self-Error-Instruct. It belongs to {onto}."
    use = f"## Use\n\nIn this folder:\n\n{_loading(own, origin)}\n`..` is the same model with the adapter merged.\n"
    return _join(header(_fields(origin, "peft", "adapter", "lora")), what, use, scores, origin)


def _loading(own: bool, origin: Origin) -> str:
    """Return code that loads the adapter on its base weights."""
    target = origin.target
    if not own and target.source.startswith("packaged:"):
        template = target.settled().template
        given = f"name={target.name!r}, source={target.source!r}, template={template!r}, dtype={target.dtype!r}"
        return _code(
            "from peft import PeftModel",
            "",
            "from sei.models.target import TargetModel",
            "",
            f"target = TargetModel({given})",
            "with target.open(target.base()) as opened:",
            '    model = PeftModel.from_pretrained(opened.model, ".")',
        )
    revision = f", revision={target.revision!r}" if target.revision and not own else ""
    return _code(
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM",
        "",
        f"base = AutoModelForCausalLM.from_pretrained({_BASE if own else target.source!r}{revision})",
        'model = PeftModel.from_pretrained(base, ".")',
    )


def _code(*lines: str) -> str:
    return "```python\n" + "\n".join(lines) + "\n```\n"


def _join(head: str, what: str, use: str, scores: dict[str, Score], origin: Origin) -> str:
    rows = (
        (cell(k), cell(s.role), _counted(s), f"{s.accuracy:.1%}", f"{s.ci95[0]:.1%} - {s.ci95[1]:.1%}")
        for k, s in scores.items()
    )
    heads = ("set", "role", "n", "accuracy", "95 % interval")
    unused = ", ".join(f"`{k}`: {cell(json.dumps(v))}" for k, v in origin.target.unused_generation().items())
    reset = f"Decoding settings of the target model that were not used: {unused}.\n" if unused else ""
    parts = [
        f"{head}# {cell(origin.experiment)}\n",
        f"{what}\n",
        use,
        f"## Accuracy\n\n{origin.asked}.\n\n{table(heads, rows)}",
        reset,
        f"## Made with\n\n{provenance(origin)}",
        "The licences of the target model and of the data it was trained on apply.\n",
    ]
    return "\n".join(p for p in parts if p)


def _counted(score: Score) -> str:
    return f"{score.n // score.samples} x {score.samples}" if score.samples > 1 else str(score.n)
