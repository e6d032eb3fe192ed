"""Scores and samples in the file format of lm-evaluation-harness, so that its tools can read and compare them.

There is one task per held-out set, with two filters of sei's grader: ``strict-match`` is the requested answer format,
``flexible-extract`` the last stated answer. Grader faults are left out and counted in ``n-samples``. With several
answers per problem, ``exact_match`` is the share of right ones.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sei.records import Graded, HeldOutProblem
from sei.stages.sampled import by_problem, majority, rights
from sei.store import write_atomic

STRICT, FLEXIBLE = "strict-match", "flexible-extract"
MAJORITY = "majority"  # field of a row with several answers, added by sei: whether the most frequent one is right


def write_lm_eval(
    folder: Path,
    graded: Sequence[Graded],
    prompts: Sequence[str],
    *,
    model: str,
    digest: str,
    commit: str,
    shots: int,
    temperature: float = 0.0,
) -> None:
    """Write ``results_<date>.json`` and one ``samples_<task>_<date>.jsonl`` per held-out set.

    Those of an earlier attempt at the same run are removed at the end, because a reader of the folder would count every
    answer twice.

    ``prompts``: the model's prompt for each graded attempt. ``model``: the target model's name; ``digest``: that of its
    weights; ``shots``: the number of few-shot examples in the prompt; ``temperature``: 0 for greedy answers.
    """
    now = datetime.datetime.now(datetime.UTC)
    stamp = now.strftime("%Y-%m-%dT%H-%M-%S.%f")
    tasks: dict[str, list[Graded]] = defaultdict(list)
    asked_as: dict[str, str] = {}
    for g, prompt in zip(graded, prompts, strict=True):
        if isinstance(g.attempt.problem, HeldOutProblem):
            tasks[g.attempt.problem.set].append(g)
            asked_as[g.attempt.problem.id] = prompt
    results: dict[str, Any] = {
        "results": {t: _scores(t, list(by_problem(rows).values())) for t, rows in tasks.items()},
        "group_subtasks": {t: [] for t in tasks},
        "configs": {t: _config(t, shots, _most_of(rows), temperature) for t, rows in tasks.items()},
        "versions": dict.fromkeys(tasks, 1.0),
        "n-shot": dict.fromkeys(tasks, shots),
        "higher_is_better": {t: {"exact_match": True} for t in tasks},
        "n-samples": {
            t: {"original": len({g.attempt.problem.id for g in rows}), "effective": len(by_problem(rows))}
            for t, rows in tasks.items()
        },
        "config": {"model": "sei", "model_args": f"pretrained={model},weights={digest}"},
        "git_hash": commit,
        "date": now.timestamp(),
        "task_hashes": {
            t: _hash("".join(_hash(g.attempt.problem.question) for g in rows)) for t, rows in tasks.items()
        },
        "model_source": "sei",
        "model_name": model,
        "model_name_sanitized": model.replace("/", "__"),
    }
    written = [folder / f"results_{stamp}.json", *(folder / f"samples_{t}_{stamp}.jsonl" for t in tasks)]
    write_atomic(written[0], (json.dumps(results, indent=2) + "\n").encode())
    for path, rows in zip(written[1:], tasks.values(), strict=True):
        places = {i: at for at, i in enumerate(dict.fromkeys(g.attempt.problem.id for g in rows))}
        body = "".join(
            _samples(places[i], answers, asked_as[i], temperature) for i, answers in by_problem(rows).items()
        )
        write_atomic(path, body.encode("utf-8", "surrogatepass"))
    for earlier in {*folder.glob("results_*.json"), *folder.glob("samples_*.jsonl")} - set(written):
        earlier.unlink(missing_ok=True)


def _most_of(rows: Sequence[Graded]) -> int:
    """Return the number of answers per problem."""
    return max(map(len, by_problem(rows).values()), default=1)


def _scores(task: str, problems: Sequence[Sequence[Graded]]) -> dict[str, Any]:
    """Return the share of right answers, averaged over problems, with its standard error."""
    n = len(problems)
    out: dict[str, Any] = {"name": task, "alias": task, "sample_len": n}
    for name, shares in (
        (STRICT, [_share(answers, strict=True) for answers in problems]),
        (FLEXIBLE, [_share(answers, strict=False) for answers in problems]),
    ):
        mean = sum(shares) / n if n else 0.0
        spread = sum((x - mean) ** 2 for x in shares)
        out[f"exact_match,{name}"] = mean
        out[f"exact_match_stderr,{name}"] = math.sqrt(spread / n / (n - 1)) if n > 1 else "N/A"
    if max(map(len, problems), default=1) > 1:
        out[f"maj,{FLEXIBLE}"] = sum(map(majority, problems)) / n
        out[f"pass,{FLEXIBLE}"] = sum(rights(answers) > 0 for answers in problems) / n
    return out


def _share(answers: Sequence[Graded], *, strict: bool) -> float:
    return sum((g.strict_verdict if strict else g.verdict) == "right" for g in answers) / len(answers)


def _decoding(temperature: float) -> dict[str, Any]:
    return {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}


def _config(task: str, shots: int, samples: int, temperature: float) -> dict[str, Any]:
    return {
        "task": task,
        "output_type": "generate_until",
        "num_fewshot": shots,
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "filter_list": [{"name": STRICT}, {"name": FLEXIBLE}],
        "generation_kwargs": _decoding(temperature),
        "repeats": samples,
    }


def _samples(i: int, answers: Sequence[Graded], prompt: str, temperature: float) -> str:
    """Return the rows of one problem, one for each filter."""
    p = answers[0].attempt.problem
    doc = {"id": p.id, "question": p.question, "answer": p.answer, "solution": p.solution, "options": list(p.options)}
    common = {
        "doc_id": i,
        "doc": doc,
        "target": p.answer,
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": _decoding(temperature)}},
        "resps": [[g.attempt.output for g in answers]],
        "finished": answers[0].attempt.finished,  # added by sei: whether it ended before the length cap
        "metrics": ["exact_match"],
        "doc_hash": _hash(json.dumps(doc, sort_keys=True)),
        "prompt_hash": _hash(prompt),
        "target_hash": _hash(p.answer),
    }
    strict = [g.extracted if g.strict_verdict != "unreadable" else "[invalid]" for g in answers]
    flexible = [g.extracted or "[invalid]" for g in answers]
    voted = {MAJORITY: majority(answers)} if len(answers) > 1 else {}
    own = (
        {"filter": STRICT, "filtered_resps": strict, "exact_match": _share(answers, strict=True)},
        {"filter": FLEXIBLE, "filtered_resps": flexible, "exact_match": _share(answers, strict=False), **voted},
    )
    shared = _json(common).removesuffix("}")  # the rows of a problem differ in their last fields alone
    return "".join(f"{shared}, {_json(fields).removeprefix('{')}\n" for fields in own)


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
