r"""Competition sets with formulas as answers: MATH, MATH-500, OlympiadBench, Minerva, AMC 2023, AIME 2024."""

from __future__ import annotations

import logging
import re
from typing import Annotated, Any, ClassVar

from pydantic import Field

from sei.data.source import Limit, Place, Row, at_most, rows_of, text
from sei.errors import DataError
from sei.grading.extract import boxes
from sei.grading.gold import last_box
from sei.parts import part

log = logging.getLogger(__name__)

_SUBJECTS = ("algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra",
             "precalculus")  # fmt: skip


def boxed(where: str, line: int, solution: str) -> str:
    r"""Return the content of the last ``\boxed{}`` in a reference solution.

    Raises:
        DataError: naming file and line if there is none.
    """
    found = last_box(solution)
    if found is None:
        raise DataError(f"{where} line {line}: the solution has no \\boxed answer. Remedy: repair or remove the line.")
    return found


@part
class Math:
    r"""MATH (Hendrycks et al. 2021, MIT; the hub's first copy was taken down after a DMCA notice in January 2025).

    7,500 training and 5,000 test problems with subject and level; the answer is the last ``\boxed`` of the solution.
    Two training rows with empty boxes are left out (5530 and 5532 in the original order). ``levels``: the levels
    of difficulty (1 to 5) that are read; ``None``: all, also rows without one.
    Hub: EleutherAI/hendrycks_math (seven configurations by subject).
    """

    identity: ClassVar[str] = "data/math"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "math"
    folder: str | None = None
    revision: str | None = "21a5633873b6a120296cce3e2df9d5550074f4a3"
    limit: Limit = None
    levels: list[Annotated[int, Field(ge=1, le=5)]] | None = None

    def train(self) -> list[Row]:
        """Return the training split."""
        return self._rows("train")

    def test(self) -> list[Row]:
        """Return the test split."""
        return at_most(self._rows("test"), self.limit, self.name)

    def _rows(self, split: str) -> list[Row]:
        place = Place(f"math/{split}.jsonl.gz", "EleutherAI/hendrycks_math", _SUBJECTS, split)
        fields = ("problem", "level", "type", "solution")
        wanted = None if self.levels is None else {f"Level {n}" for n in self.levels}
        out = []
        for where, n, row in rows_of(place, fields, folder=self.folder, revision=self.revision):
            if wanted is not None and text(where, n, row, "level") not in wanted:
                continue
            solution = text(where, n, row, "solution")
            if [content for _, content in boxes(solution)] == [""]:
                log.warning("%s line %d is left out: its solution has an empty box", where, n)
                continue
            out.append(
                Row(
                    f"math-{split}-{n}",
                    text(where, n, row, "problem"),
                    boxed(where, n, solution),
                    solution,
                    group=text(where, n, row, "type"),
                    level=text(where, n, row, "level"),
                )
            )
        return out


@part
class Math500:
    """MATH-500 (Lightman et al. 2023, MIT; see MATH): 500 of MATH's test problems, with subjects and levels.

    Hub: HuggingFaceH4/MATH-500.
    """

    identity: ClassVar[str] = "data/math500"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "math500"
    folder: str | None = None
    revision: str | None = "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be"
    limit: Limit = None

    def test(self) -> list[Row]:
        """Return all problems."""
        place = Place("math500/test.jsonl.gz", "HuggingFaceH4/MATH-500")
        fields = ("problem", "solution", "answer", "subject", "level", "unique_id")
        rows = []
        for w, n, r in rows_of(place, fields, folder=self.folder, revision=self.revision):
            rows.append(
                Row(
                    f"math500-{r['unique_id']}",
                    text(w, n, r, "problem"),
                    text(w, n, r, "answer"),
                    text(w, n, r, "solution"),
                    group=text(w, n, r, "subject"),
                    level=f"Level {r['level']}",
                )
            )
        return at_most(rows, self.limit, self.name)


@part
class OlympiadBench:
    """OlympiadBench (He et al. 2024, MIT), open-ended English competition mathematics: 675 problems. Test only.

    Several answers to one problem become one list. Hub: Hothan/OlympiadBench (OE_TO_maths_en_COMP, 674 rows).
    """

    identity: ClassVar[str] = "data/olympiad_bench"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "olympiadbench"
    folder: str | None = None
    revision: str | None = None
    limit: Limit = None

    def test(self) -> list[Row]:
        """Return all problems; the group is the subfield."""
        config = "OE_TO_maths_en_COMP"
        place = Place(
            "olympiadbench_oe_to_maths_en_comp/test.jsonl.gz", "Hothan/OlympiadBench", (config,), split="train"
        )
        fields = ("id", "subfield", "context", "question", "solution", "final_answer")
        rows = []
        for w, n, r in rows_of(place, fields, folder=self.folder, revision=self.revision):
            answers = r["final_answer"]
            if not isinstance(answers, list) or not answers:
                raise DataError(f"{w} line {n}: final_answer={answers!r} is not a list with at least one answer")
            question = "\n".join(x for x in (str(r["context"] or "").strip(), text(w, n, r, "question")) if x)
            answer = ", ".join(re.sub(r"(?<!\\)\$", "", str(a)).strip() for a in answers)
            rows.append(Row(f"olympiad-{r['id']}", question, answer, group=text(w, n, r, "subfield")))
        return at_most(rows, self.limit, self.name)


@part
class MinervaMath:
    """OCWCourses of Minerva (Lewkowycz et al. 2022; MIT OpenCourseWare, CC BY-NC-SA 4.0): 272 problems. Test only.

    math-ai/minervamath on the hub has other fields; this schema needs a local folder.
    """

    identity: ClassVar[str] = "data/minerva_math"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "minerva_math"
    folder: str | None = None
    limit: Limit = None

    def test(self) -> list[Row]:
        """Return all problems; the group is the course."""
        fields = ("problem", "solution", "type", "idx")
        rows = []
        for w, n, r in rows_of(Place("minerva_math/test.jsonl.gz"), fields, folder=self.folder, revision=None):
            solution = text(w, n, r, "solution")
            answer = boxed(w, n, solution)
            rows.append(Row(f"minerva-{r['idx']}", text(w, n, r, "problem"), answer, solution, group=str(r["type"])))
        return at_most(rows, self.limit, self.name)


@part
class Amc23:
    """AMC 12 of 2023 (problems: Mathematical Association of America; evaluation only): 40 problems.

    Hub: math-ai/amc23 (same questions).
    """

    identity: ClassVar[str] = "data/amc23"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "amc23"
    folder: str | None = None
    revision: str | None = None
    limit: Limit = None

    def test(self) -> list[Row]:
        """Return all problems."""
        found = rows_of(
            Place("amc23/test.jsonl.gz", "math-ai/amc23"),
            ("id", "question", "answer"),
            folder=self.folder,
            revision=self.revision,
        )
        return at_most([_plain("amc23", *x, field="question") for x in found], self.limit, self.name)


@part
class Aime24:
    """AIME 2024 (problems: Mathematical Association of America; evaluation only): 30 problems.

    Hub: HuggingFaceH4/aime_2024.
    """

    identity: ClassVar[str] = "data/aime24"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "aime24"
    folder: str | None = None
    revision: str | None = "2fe88a2f1091d5048c0f36abc874fb997b3dd99a"
    limit: Limit = None

    def test(self) -> list[Row]:
        """Return all problems."""
        found = rows_of(
            Place("aime24/test.jsonl.gz", "HuggingFaceH4/aime_2024", split="train"),
            ("id", "problem", "answer"),
            folder=self.folder,
            revision=self.revision,
        )
        return at_most([_plain("aime24", *x, field="problem") for x in found], self.limit, self.name)


def _plain(name: str, where: str, n: int, row: dict[str, Any], *, field: str) -> Row:
    return Row(f"{name}-{row['id']}", text(where, n, row, field), text(where, n, row, "answer"))
