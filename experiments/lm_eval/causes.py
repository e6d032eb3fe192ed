"""Why two graders differ on an output: rules for whole kinds, and an entry for each single case."""

from __future__ import annotations

import re
from fractions import Fraction

from experiments.lm_eval.graders import Both

CUT = "cut at the length cap: ours reads statements alone, theirs the last number of the broken text"
NO_NUMBER = "finished without a number in the last line: ours reads none further up, theirs the last of the text"
FORM = "the same number in another form (a unit, a sign, a full stop)"
NOT_STATED = "ours reads what is stated, theirs the last number of the text"
BARE = "hendrycks_math compares the whole output, or all between its first and last $"
SENTENCE = "minerva_math reads nothing but 'Final Answer: The final answer is X. I hope it is correct.'"
DELIMITED = r"minerva_math takes off $ around an answer, not \( \)"
SINGLE = {
    "mathcoder-ecbae0c6e907": "boxed 2000 cents, 'or 20 dollars' after it: ours takes the box, theirs the last number",
    "tora-5df3125bd2f2": "ends in 1/3: theirs reads the 3 of it, which is the gold answer by chance",
    "mr-gsm8k-e784003a2150": "'Step 5: print(total_days)': theirs reads the number of the step, gold by chance",
    "mr-gsm8k-24ed87ebfe2e": "gold '#### 2' and 'The answer is: 2': theirs keeps both lines and can match neither",
    "processbench-math-6ecef3abe561": r"gold 8\sqrt{3}\text{ square inches}: math_verify keeps the unit in the value",
    "processbench-math-96a4510403b6": "prose: ours takes 1/3, the last value that could be one; math_verify 'A and B'",
    "processbench-math-2e29d3df600b": "'2 + 1 = 3 possible values for n': ours takes 3, math_verify the n",
}
"""Published outputs of models, under gsm8k's flexible-extract and math_verify."""


def of_number(ours: str, theirs: str, *, cut: bool, output: str) -> str:
    """Return why two answers to a GSM8K problem differ; empty if they agree or no rule applies."""
    mine, yours = _value(ours), _value(theirs)
    if ours == theirs or ours == theirs.strip("$.").replace(",", ""):
        return ""
    if mine is not None and mine == yours:
        return FORM
    if ours == "[invalid]":
        last = output.rstrip().rsplit("\n", 1)[-1]
        return CUT if cut else NO_NUMBER if not re.search(r"\d", last) else ""
    numbers = re.findall(r"\d[\d,]*(?:\.\d+)?", output)
    return NOT_STATED if numbers and yours is not None and yours == _value(numbers[-1]) else ""


def of_math(name: str, both: Both) -> str:
    """Return why a metric of the harness and sei's verdict differ on a MATH problem; empty if no rule applies."""
    if name == "hendrycks":
        inside = [i for i, c in enumerate(both.output) if c == "$"]
        whole = both.output if len(inside) < 2 else both.output[inside[0] + 1 : inside[-1]]
        return BARE if whole.strip() != both.extracted.strip() else ""
    if name == "minerva":
        sentence = re.search(r"Final Answer: The final answer is(.*?). I hope", both.output)
        return SENTENCE if sentence is None else DELIMITED if "\\(" in sentence[1] else ""
    return SINGLE.get(both.row, "")


def _value(text: str) -> Fraction | None:
    found = re.search(r"-?\d[\d,]*(?:\.\d+)?", text)
    return Fraction(found.group().replace(",", "")) if found else None
