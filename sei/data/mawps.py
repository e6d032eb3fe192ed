"""``data=mawps``: MAWPS as pool, dev and in-domain test; SVAMP and GSM8K test rows as further test sets.

Sources and licences: MAWPS in MWPToolkit's split from AGI-Edgerunners/LLM-Adapters (ODC-By 1.0); SVAMP (Patel et al.
2021, MIT); GSM8K (Cobbe et al. 2021, MIT). MultiArith is not held out, because most of it is in the MAWPS training
split.
"""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from sei.data.equations import solution_from_equation
from sei.errors import DataError
from sei.exchange import DataSet
from sei.grading import extract_strict
from sei.parts import part
from sei.records import HeldOutProblem, PoolProblem, Role, TrainingExample
from sei.rows import read_jsonl
from sei.signature import masked_signature
from sei.store import digest

_REMEDY = "put it there, or set data_folder=PATH (or SEI_DATA=PATH) to its folder"

Row = tuple[str, str, str, str]  # id, question, answer, worked solution


def tidy(text: str) -> str:
    """Undo tokenised punctuation: ``had 7 . How many ?`` becomes ``had 7. How many?``."""
    for mark in (".", ",", "?", "!", ";", ":"):
        text = text.replace(f" {mark}", mark)
    return text.replace("$ ", "$").replace(" 's", "'s").strip()


def _plain(value: float) -> str:
    number = Fraction(str(value))
    return str(number.numerator) if number.denominator == 1 else str(value)


@part
class Mawps:
    """MAWPS with its one-unknown linear equations written as worked steps; other rows are left out.

    ``folder`` holds ``mawps/``, ``svamp/`` and ``gsm8k/main/`` in the schemas of their releases. The training split is
    cut by content hash into warm-up, pool and dev. The test and validation splits are the in-domain test (at most
    ``test`` rows; ``None``: all). Training questions with a masked signature of a test set are left out.
    """

    identity: ClassVar[str] = "data/mawps"
    version: ClassVar[int] = 1
    folder: str | None
    warm_up: Annotated[int, Field(ge=0)] = 640
    pool: Annotated[int, Field(ge=10)] = 700
    dev: Annotated[int, Field(ge=10)] = 150
    test: Annotated[int, Field(ge=1)] | None = None
    svamp: Annotated[int, Field(ge=0)] = 300
    gsm8k: Annotated[int, Field(ge=0)] = 300

    def load(self) -> DataSet:
        """Read all files.

        Raises:
            DataError: naming the missing file, or file and line of a broken row.
        """
        if self.folder is None:
            raise DataError("MAWPS needs local files. Remedy: set data_folder=PATH (or SEI_DATA=PATH).")
        root = Path(self.folder).expanduser()
        test = [r for split in ("test", "validation") for r in self._mawps(root / f"mawps/mwptoolkit_{split}.jsonl.gz")]
        svamp = self._sample(self._svamp(root / "svamp/all.jsonl.gz"), self.svamp)
        gsm8k = self._sample(self._gsm8k(root / "gsm8k/main/test.jsonl.gz"), self.gsm8k)
        forbidden = {masked_signature(q) for rows in (test, svamp, gsm8k) for _, q, _, _ in rows}
        train: dict[str, Row] = {}
        for row in self._mawps(root / "mawps/mwptoolkit_train.jsonl.gz"):
            signature = masked_signature(row[1])
            if signature not in forbidden:
                train.setdefault(signature, row)
        order = sorted(train.values(), key=lambda r: digest("mawps", r[1]))
        dev, rest = order[: self.dev], order[self.dev :]
        pool, warm = rest[: self.pool], rest[self.pool : self.pool + self.warm_up]
        if len(warm) < self.warm_up:
            have = len(order)
            need = self.dev + self.pool + self.warm_up
            raise DataError(f"MAWPS has {have} usable training rows, but dev + pool + warm_up need {need}")
        return DataSet(
            pool=tuple(PoolProblem(id=i, question=q, answer=a, solution=s) for i, q, a, s in pool),
            held_out=(
                *self._held("mawps_test", "in_domain", test if self.test is None else self._sample(test, self.test)),
                *self._held("svamp", "out_of_domain", svamp),
                *self._held("gsm8k_test", "out_of_domain", gsm8k),
                *self._held("mawps_dev", "dev", dev),
            ),
            warm_up=tuple(TrainingExample(id=i, question=q, solution=s, source="warm_up") for i, q, _, s in warm),
        )

    def _held(self, name: str, role: Role, rows: list[Row]) -> list[HeldOutProblem]:
        return [HeldOutProblem(id=i, question=q, answer=a, solution=s, set=name, role=role) for i, q, a, s in rows]

    def _sample(self, rows: list[Row], n: int) -> list[Row]:
        return rows if n >= len(rows) else random.Random(f"rows/{n}").sample(rows, n)

    def _mawps(self, path: Path) -> list[Row]:
        rows = []
        for number, row in read_jsonl(path, ("id", "original_text", "equation", "ans"), remedy=_REMEDY):
            answer = _number(path, number, "ans", row["ans"])
            solution = solution_from_equation(str(row["equation"]), answer)
            if solution is not None:
                rows.append(
                    (f"mawps-{path.stem[11:14]}-{row['id']}", tidy(str(row["original_text"])), answer, solution)
                )
        return rows

    def _svamp(self, path: Path) -> list[Row]:
        rows = []
        for number, row in read_jsonl(path, ("ID", "Body", "Question", "Equation", "Answer"), remedy=_REMEDY):
            body = str(row["Body"]).strip()
            question = f"{body}{'' if body.endswith('.') else ','} {str(row['Question']).strip()}"
            answer = _number(path, number, "Answer", row["Answer"])
            rows.append((f"svamp-{row['ID']}", tidy(question), answer, f"#### {answer}"))
        return rows

    def _gsm8k(self, path: Path) -> list[Row]:
        rows = []
        for number, row in read_jsonl(path, ("question", "answer"), remedy=_REMEDY):
            answer = extract_strict(str(row["answer"]))
            if answer is None:
                raise DataError(f"{path} line {number}: the answer has no '#### ' line")
            rows.append((f"gsm8k-test-{number}", str(row["question"]), answer.replace(",", ""), str(row["answer"])))
        return rows


def _number(path: Path, line: int, name: str, value: Any) -> str:
    try:
        return _plain(float(value))
    except (TypeError, ValueError) as e:
        raise DataError(f"{path} line {line}: {name}={value!r} is not a number") from e
