"""``dataset/`` of a round: its training examples as chat rows, for other trainers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from sei.models.target import TargetModel
from sei.prompts import ask_template, layout_parts, render
from sei.records import RoundRecord
from sei.report.cards import Origin, cell, header, provenance, table
from sei.store import write_atomic

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_HERE = "\ue000"  # in place of the question
_SOURCES = {
    "synthetic": "written by the instructor for an error type, and kept by the refiner",
    "replay": "solved problems of the training pool, repeated against forgetting",
}


def write_dataset(home: Path, records: Sequence[RoundRecord], dropped: Mapping[str, int], origin: Origin) -> None:
    """Write the training examples of the last of ``records``, with a card and an entry for LLaMA-Factory.

    The earlier records give the error types of accumulated examples. ``dropped``: counts of what the round dropped, by
    reason.
    """
    rows = chat_rows(records, origin.target)
    body = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
    write_atomic(home / "train.jsonl", body.encode())
    entry = {
        f"sei_round_{records[-1].round}": {
            "file_name": "train.jsonl",
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": {
                "role_tag": "role",
                "content_tag": "content",
                "user_tag": "user",
                "assistant_tag": "assistant",
                "system_tag": "system",
            },
        }
    }
    write_atomic(home / "dataset_info.json", (json.dumps(entry, indent=2) + "\n").encode())
    write_atomic(home / "README.md", _card(rows, records[-1], dropped, origin).encode())


def chat_rows(records: Sequence[RoundRecord], target: TargetModel) -> list[dict[str, Any]]:
    """Return one row per training example of the last record.

    The user's message is the question as the target model gets it, with the answer format but without the frame around
    it (chat template or ``Question: ... Answer:``). A system prompt of the target model comes before it.
    """
    made = {x.id: x for r in records for x in r.synthesis.candidates}
    chat = target.kind == "chat"
    system = [{"role": "system", "content": target.system()}] if chat and target.system() else []
    rows = []
    for x in records[-1].training:
        question = render(ask_template(target.ask), question=x.question)
        if chat:
            question = render("solve_chat.v1", question=question)
        known = made.get(x.id) if x.source == "synthetic" else None
        rows.append(
            {
                "messages": [
                    *system,
                    {"role": "user", "content": question},
                    {"role": "assistant", "content": x.solution},
                ],
                "id": x.id,
                "source": x.source,
                "error_type": known.error_type if known else None,
                "round": known.round if known else None,
            }
        )
    return rows


def _card(rows: Sequence[dict[str, Any]], record: RoundRecord, dropped: Mapping[str, int], origin: Origin) -> str:
    size = next((name for limit, name in _SIZES if len(rows) < limit), "n>1M")
    fields = {
        "pretty_name": f"{origin.experiment}, round {record.round}",
        "license": "unknown",
        "task_categories": ["text-generation"],
        "tags": ["self-error-instruct", "synthetic"],
        "size_categories": [size],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "train.jsonl"}]}],
    }
    return "\n".join(
        [
            header(fields) + f"# {cell(origin.experiment)}, round {record.round}\n",
            f"{len(rows)} training examples of round {record.round} of Self-Error-Instruct: problems written for the "
            "kinds of errors of the target model, and replayed solved problems. Each row has `messages`, `id`, "
            "`source` and, if known, `error_type` and `round` (in which it was written).\n",
            provenance(origin),
            _counts(rows, record, dropped),
            _use(record, origin.target),
            "## Licence\n\nThis data set has no licence of its own. Replayed rows are problems of the data set named "
            "above; an instructor that was shown such problems wrote the synthetic rows. What may be done with them "
            "depends on the licence of that data set and the terms of that instructor.\n",
        ]
    )


def _counts(rows: Sequence[dict[str, Any]], record: RoundRecord, dropped: Mapping[str, int]) -> str:
    sources = Counter(str(r["source"]) for r in rows)
    types = Counter(str(r["error_type"]) for r in rows if r["error_type"] is not None)
    refused = Counter(dropped)
    refused["refiner"] = len(record.refined.scored) - len(record.refined.kept)
    refused.update(f"withheld_{w.reason}" for w in record.withheld)
    return "\n".join(
        [
            "## Contents\n",
            table(("source", "rows", "what"), ((s, n, _SOURCES.get(s, "")) for s, n in sources.most_common())),
            table(("error type", "rows"), ((cell(t) or "(not named)", n) for t, n in types.most_common())),
            f"Left out in round {record.round}, by reason:\n",
            table(("reason", "count"), ((cell(r), n) for r, n in sorted(refused.items()) if n)),
        ]
    )


def _use(record: RoundRecord, target: TargetModel) -> str:
    """Return how to train elsewhere on the data of the run."""
    if target.kind == "chat":
        more = f', "chat_template_kwargs": {target.chat_template_kwargs!r}' if target.chat_template_kwargs else ""
        pair = f'return {{"prompt": row["messages"][:-1], "completion": row["messages"][-1:]{more}}}'
        frame = "The chat template of the target model's tokenizer is put around the messages."
        if more:
            frame += f" The run called it with `{cell(json.dumps(target.chat_template_kwargs))}`."
    else:
        asked, glue = layout_parts(target.layout)
        around = Template(asked).substitute(question=_HERE).split(_HERE)
        pair = (
            'question, solution = (m["content"] for m in row["messages"])\n'
            f"    prompt = question.join({around!r})\n"
            f'    return {{"prompt": prompt, "completion": {glue!r} + solution}}'
        )
        frame = "The target model has no chat template; its prompt is the text below."
    trained = record.trained
    return (
        f"## Training on it\n\n{frame} Only the solution and the end-of-sequence token are supervised. The run itself "
        f"trained on {trained.examples} examples, {trained.steps} optimizer steps and {trained.tokens} supervised "
        "tokens; its settings are in `.hydra/config.yaml` of the run folder. With TRL, in this folder:\n\n"
        "```python\n"
        "from datasets import load_dataset\n\n\n"
        f"def pair(row):\n    {pair}\n\n\n"
        'data = load_dataset("json", data_files="train.jsonl", split="train")\n'
        "data = data.map(pair, remove_columns=data.column_names)\n"
        "```\n\n"
        "and `SFTTrainer(model, train_dataset=data)`. LLaMA-Factory finds the data with this folder as `dataset_dir` "
        f"and `dataset: sei_round_{record.round}`; choose the `template` of the target model.\n"
    )
