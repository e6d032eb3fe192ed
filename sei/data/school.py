"""Word-problem sets: GSM8K, GSM-Hard, SVAMP, ASDiv and the MAWPS parts."""

from __future__ import annotations

import re
from typing import ClassVar

from sei.data.equations import solution_from_equation
from sei.data.source import Limit, Place, Row, at_most, rows_of, text
from sei.errors import DataError
from sei.grading import extract_strict
from sei.parts import part


@part
class Gsm8k:
    """GSM8K (Cobbe et al. 2021, MIT): 7,473 training and 1,319 test problems with annotated steps.

    Hub: openai/gsm8k, configuration main.
    """

    identity: ClassVar[str] = "data/gsm8k"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "gsm8k"
    folder: str | None = None
    revision: str | None = "e53f048856ff4f594e959d75785d2c2d37b678ee"
    limit: Limit = None

    def train(self) -> list[Row]:
        """Return the training split."""
        return self._rows("train")

    def test(self) -> list[Row]:
        """Return the test split."""
        return at_most(self._rows("test"), self.limit, self.name)

    def _rows(self, split: str) -> list[Row]:
        place = Place(f"gsm8k/main/{split}.jsonl.gz", "openai/gsm8k", ("main",), split)
        out = []
        for where, n, row in rows_of(place, ("question", "answer"), folder=self.folder, revision=self.revision):
            solution = text(where, n, row, "answer")
            answer = extract_strict(solution)
            if answer is None:
                raise DataError(f"{where} line {n}: the answer has no '#### ' line")
            question = text(where, n, row, "question")
            out.append(Row(f"gsm8k-{split}-{n}", question, answer.replace(",", ""), solution, group="gsm8k"))
        return out


@part
class GsmHard:
    """GSM-Hard (Gao et al. 2022, Apache-2.0): GSM8K test with large numbers, 1,319 problems. Test only.

    Hub: reasoning-machines/gsm-hard (its only split is called train).
    """

    identity: ClassVar[str] = "data/gsm_hard"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "gsm_hard"
    folder: str | None = None
    revision: str | None = None
    limit: Limit = None

    def test(self) -> list[Row]:
        """Return all problems."""
        place = Place("gsm_hard/train.jsonl.gz", "reasoning-machines/gsm-hard", split="train")
        found = rows_of(place, ("input", "target"), folder=self.folder, revision=self.revision)
        rows = [Row(f"gsm-hard-{n}", text(w, n, r, "input"), text(w, n, r, "target")) for w, n, r in found]
        return at_most(rows, self.limit, self.name)


@part
class Svamp:
    """SVAMP (Patel et al. 2021, MIT): 700 training and 300 test problems with changed structure.

    Hub: ChilleD/SVAMP.
    """

    identity: ClassVar[str] = "data/svamp"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "svamp"
    folder: str | None = None
    revision: str | None = "5e0bf1e5e7c0e9c4bc39180d224f41f3f801b7ef"
    limit: Limit = None

    def train(self) -> list[Row]:
        """Return the training split."""
        return self._rows("train")

    def test(self) -> list[Row]:
        """Return the test split."""
        return at_most(self._rows("test"), self.limit, self.name)

    def _rows(self, split: str) -> list[Row]:
        place = Place(f"svamp/{split}.jsonl.gz", "ChilleD/SVAMP", split=split)
        fields = ("ID", "Body", "Question", "Equation", "Answer", "Type")
        out = []
        for where, n, row in rows_of(place, fields, folder=self.folder, revision=self.revision):
            body = text(where, n, row, "Body")
            question = f"{body}{'' if body.endswith('.') else ','} {text(where, n, row, 'Question')}"
            answer = text(where, n, row, "Answer")
            solution = solution_from_equation(f"x={row['Equation']}", answer) or ""
            out.append(Row(f"svamp-{row['ID']}", question, answer, solution, group=text(where, n, row, "Type")))
        return out


@part
class Asdiv:
    """ASDiv (Miao et al. 2020, CC BY-NC 4.0: non-commercial): 2,305 primary-school problems. Test only.

    Answers such as ``11 (plums)`` lose their unit; ``11 (girls); 9 (boys)`` become a list in this order.
    Hub: EleutherAI/asdiv (split validation).
    """

    identity: ClassVar[str] = "data/asdiv"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "asdiv"
    folder: str | None = None
    revision: str | None = None
    limit: Limit = None

    def test(self) -> list[Row]:
        """Return all problems."""
        place = Place("asdiv/validation.jsonl.gz", "EleutherAI/asdiv", ("asdiv",), "validation")
        fields = ("body", "question", "solution_type", "answer")
        rows = []
        for where, n, row in rows_of(place, fields, folder=self.folder, revision=self.revision):
            question = f"{str(row['body']).strip()} {text(where, n, row, 'question')}".strip()
            parts = [re.sub(r"\s*\([^()]*\)", "", p).strip() for p in text(where, n, row, "answer").split(";")]
            answer = parts[0] if len(parts) == 1 else f"({', '.join(parts)})"
            rows.append(Row(f"asdiv-{n}", question, answer, group=text(where, n, row, "solution_type")))
        return at_most(rows, self.limit, self.name)


@part
class MawpsParts:
    """AddSub, MultiArith, SingleEq and SingleOp of MAWPS (Koncel-Kedziorski et al. 2016) as published with ToRA (MIT).

    2,065 problems, test only. No hub set has this schema; a local folder is needed. Most of MultiArith is in the
    training split of ``data=mawps``.
    """

    identity: ClassVar[str] = "data/mawps_parts"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "mawps_parts"
    folder: str | None = None
    limit: Limit = None

    def test(self) -> list[Row]:
        """Return all problems; the group is the part."""
        rows = []
        for part_name in ("addsub", "multiarith", "singleeq", "singleop"):
            place = Place(f"mawps/{part_name}.jsonl.gz")
            for where, n, row in rows_of(place, ("input", "target"), folder=self.folder, revision=None):
                question, answer = text(where, n, row, "input"), text(where, n, row, "target")
                rows.append(Row(f"mawps-{part_name}-{n}", question, answer, group=part_name))
        return at_most(rows, self.limit, self.name)
