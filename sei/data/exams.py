"""Exam sets: CollegeMath, TAL-SCQ5K, GaokaoBench-Math, SAT-Math, AQuA, MMLU-STEM. Test only."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from sei.data.source import Limit, Place, Row, at_most, joined, letter, rows_of, text
from sei.errors import DataError
from sei.grading.text import balanced
from sei.parts import part

log = logging.getLogger(__name__)


@part
class CollegeMath:
    """CollegeMath of MWPBench (Tang et al. 2024): 2,818 textbook exercises, licence per row (several non-commercial).

    Hub: di-zhang-fdu/College_Math_Test (same questions).
    """

    identity: ClassVar[str] = "data/college_math"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "college_math"
    folder: str | None = None
    revision: str | None = None
    limit: Limit = None

    def test(self) -> list[Row]:
        """Return all problems; the group is the textbook's subject."""
        place = Place("college_math/test.jsonl.gz", "di-zhang-fdu/College_Math_Test")
        fields = ("question", "answer", "data_topic")
        rows = []
        for w, n, r in rows_of(place, fields, folder=self.folder, revision=self.revision):
            group = text(w, n, r, "data_topic").removeprefix("college_math.")
            rows.append(Row(f"college-{n}", text(w, n, r, "question"), text(w, n, r, "answer"), group=group))
        return at_most(rows, self.limit, self.name)


@part
class TalScq:
    """TAL-SCQ5K-EN (math-eval, MIT): single-choice competition questions, 2,000 in the test split.

    Options are as published. One row is left out because its answer is not an option (``qid`` 1494 of the test split
    has answer F). Hub: math-eval/TAL-SCQ5K.
    """

    identity: ClassVar[str] = "data/tal_scq"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "tal_scq"
    folder: str | None = None
    revision: str | None = None
    limit: Limit = None

    def test(self) -> list[Row]:
        """Return all problems with an answer among their options; the group is the difficulty."""
        place = Place("tal_scq5k/en/test.jsonl.gz", "math-eval/TAL-SCQ5K", ("TAL-SCQ5K-EN",))
        fields = ("qid", "problem", "answer_option_list", "answer_value", "difficulty")
        rows = []
        for w, n, r in rows_of(place, fields, folder=self.folder, revision=self.revision):
            options = tuple(_option(w, n, o) for o in r["answer_option_list"])
            answer = letter(w, n, r["answer_value"], len(options))
            question = text(w, n, r, "problem")
            rows.append(Row(f"tal-{r['qid']}", question, answer, "", options, group=f"difficulty {r['difficulty']}"))
        return at_most(rows, self.limit, self.name)


def _option(where: str, line: int, listed: Any) -> str:
    first = listed[0] if isinstance(listed, list) and listed else listed
    if not isinstance(first, dict) or not {"aoVal", "content"} <= first.keys():
        raise DataError(f"{where} line {line}: an option is not {{aoVal, content}}: {listed!r}")
    return f"({first['aoVal']}) {str(first['content']).strip()}"


@part
class GaokaoBenchMath:
    """GaokaoBench-Math in English of MWPBench (MIT; questions of GAOKAO-Bench, Apache-2.0): 508 problems.

    All are open questions: for former choice questions, MWPBench replaced the letter by the value. One row is left out
    because its answer is garbled (``36}``, number 66). No hub set is known; a local folder is needed.
    """

    identity: ClassVar[str] = "data/gaokao_bench_math"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "gaokaobench_math"
    folder: str | None = None
    limit: Limit = None

    def test(self) -> list[Row]:
        """Return all problems; the group is choice or fill-in."""
        place = Place("gaokaobench_math_en/test.jsonl.gz")
        rows = []
        for w, n, r in rows_of(place, ("question_number", "question", "answer"), folder=self.folder, revision=None):
            number = text(w, n, r, "question_number")
            if not balanced(text(w, n, r, "answer")):
                log.warning("%s line %d is left out: its answer %r is garbled", w, n, r["answer"])
                continue
            group = number.split(".")[0].split("_Math_")[-1]
            rows.append(Row(f"gaokao-{n}", text(w, n, r, "question"), text(w, n, r, "answer"), group=group))
        return at_most(rows, self.limit, self.name)


@part
class SatMath:
    """SAT-Math of AGIEval (Zhong et al. 2023, MIT): 220 choice questions; a row's passage comes before its question.

    No hub set has this schema (dmayhem93/agieval-sat-math has another one); a local folder is needed.
    """

    identity: ClassVar[str] = "data/sat_math"
    version: ClassVar[int] = 2
    name: ClassVar[str] = "sat_math"
    folder: str | None = None
    limit: Limit = None

    def test(self) -> list[Row]:
        """Return all problems."""
        place = Place("agieval/sat-math/test.jsonl.gz")
        rows = []
        for w, n, r in rows_of(place, ("question", "options", "label"), folder=self.folder, revision=None):
            options = tuple(str(o) for o in r["options"])
            answer = letter(w, n, r["label"], len(options))
            question = joined(str(r.get("passage") or "").strip(), text(w, n, r, "question"))
            rows.append(Row(f"sat-{n}", question, answer, "", options))
        return at_most(rows, self.limit, self.name)


@part
class Aqua:
    """AQuA-RAT (Ling et al. 2017, Apache-2.0): 254 test questions with five options.

    Hub: deepmind/aqua_rat (configuration raw).
    """

    identity: ClassVar[str] = "data/aqua"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "aqua"
    folder: str | None = None
    revision: str | None = "33301c6a050c96af81f63cad5562cb5363e88971"
    limit: Limit = None

    def test(self) -> list[Row]:
        """Return all problems."""
        place = Place("aqua_rat/test.jsonl.gz", "deepmind/aqua_rat", ("raw",))
        rows = []
        for w, n, r in rows_of(place, ("question", "options", "correct"), folder=self.folder, revision=self.revision):
            options = tuple(str(o) for o in r["options"])
            rows.append(
                Row(f"aqua-{n}", text(w, n, r, "question"), letter(w, n, r["correct"], len(options)), "", options)
            )
        return at_most(rows, self.limit, self.name)


@part
class MmluStem:
    """The 18 STEM subjects of MMLU's test split (Hendrycks et al. 2021, MIT): 3,018 questions with four options.

    Hub: cais/mmlu has them by subject with another field name; this schema needs a local folder.
    """

    identity: ClassVar[str] = "data/mmlu_stem"
    version: ClassVar[int] = 1
    name: ClassVar[str] = "mmlu_stem"
    folder: str | None = None
    limit: Limit = None

    def test(self) -> list[Row]:
        """Return all problems; the group is the subject."""
        place = Place("mmlu_stem/test.jsonl.gz")
        rows = []
        for w, n, r in rows_of(place, ("question", "type", "choices", "answer"), folder=self.folder, revision=None):
            options = tuple(f"({chr(ord('A') + i)}) {c}" for i, c in enumerate(r["choices"]))
            answer = letter(w, n, r["answer"], len(options))
            rows.append(Row(f"mmlu-{n}", text(w, n, r, "question"), answer, "", options, group=text(w, n, r, "type")))
        return at_most(rows, self.limit, self.name)
