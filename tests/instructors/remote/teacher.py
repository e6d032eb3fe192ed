"""A scripted teacher for the loopback server: answers every kind of request from its text."""

from __future__ import annotations

import hashlib
import json
import random
import re
from itertools import islice
from typing import Any

from sei.data.arithmetic import stream
from sei.data.skills import SKILLS

PHRASES = ("adds where it must subtract", "forgets the second step", "takes the total for a part")


class Teacher:
    """One reply per request body, always the same. ``phrases``: its keyphrases.

    Problems come from the embedded arithmetic domain, whose vocabulary the embedded models know. A share ``wrong`` of
    them has a wrong solution (``wrong_questions``), and so has a share ``slips`` of the problems that it solves again.
    """

    def __init__(self, phrases: tuple[str, ...] = PHRASES, *, wrong: float = 0.0, slips: float = 0.0) -> None:
        self.phrases, self.wrong, self.slips = phrases, wrong, slips
        self.right: dict[str, str] = {}
        self.wrong_questions: set[str] = set()

    def __call__(self, body: dict[str, Any]) -> str:
        text = body["messages"][0]["content"]
        number = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
        rng = random.Random(number)
        wanted = re.search(r"^Write (\d+) new problems", text, re.MULTILINE)
        if wanted:
            return json.dumps({"problems": [self._problem(rng) for _ in range(int(wanted[1]))]})
        if "name the cause in one short phrase" in text:
            return json.dumps({"first_wrong_step": "the first", "keyphrase": rng.choice(self.phrases)})
        if "find the first one that is wrong" in text:
            shown = data_in(text)
            right, steps = shown["reference_solution"].split("\n"), [s["text"] for s in shown["steps"]]
            at = next((i for i, (a, b) in enumerate(zip(right, steps, strict=False), 1) if a != b), len(steps))
            return json.dumps({"reason": "so", "step": at % len(steps) + 1 if rng.random() < self.slips else at})
        if "Solve the problem below" in text:
            answer = self.right[data_in(text)["problem"]]
            answer = str(int(answer) + 1) if rng.random() < self.slips else answer
            return json.dumps({"solution": f"It is {answer}.", "answer": answer})
        if "into error types" in text:
            ids: dict[str, list[int]] = {}
            for row in data_in(text):
                ids.setdefault(row["phrase"].split()[0] + " type", []).append(row["id"])
            return json.dumps({"error_types": [{"name": n, "ids": i} for n, i in ids.items()]})
        if "names of error types" in text:
            return json.dumps({"error_types": []})
        if "Solve the question rightly" in text:
            p = self._problem(rng)
            return json.dumps({"solution": p["solution"], "answer": p["answer"]})
        raise AssertionError(f"no such request: {text[:80]}")

    def _problem(self, rng: random.Random) -> dict[str, str]:
        (drawn,) = islice(stream(rng, SKILLS, [1.0] * len(SKILLS), far=False), 1)
        self.right[drawn.question] = drawn.answer
        if rng.random() >= self.wrong:
            return {"question": drawn.question, "solution": drawn.solution, "answer": drawn.answer}
        self.wrong_questions.add(drawn.question)
        off = str(int(drawn.answer) + 3)
        return {"question": drawn.question, "solution": f"It is {off}.\n#### {off}", "answer": off}


def data_in(text: str) -> Any:
    """Return the last JSON value in a request, before the instructions on how to answer."""
    body = text[: text.rindex("Answer with one JSON object")]
    starts = [m.start() for m in re.finditer(r"^[\[{]", body, re.MULTILINE)]
    return json.JSONDecoder().raw_decode(body[starts[-1] :])[0]
