"""The embedded instructor's wordings of findings: short and natural, with several variants for each.

The wording depends only on the finding and a number drawn from the case's texts. One variant in three names the things
counted, as an LLM often does. No word here comes from the names of hidden skills.
"""

from __future__ import annotations

from sei.records import Finding

_VERB = {"+": "adding", "-": "subtracting", "*": "multiplying", "/": "dividing", "none": "calculating"}
_NOUN = {"+": "addition", "-": "subtraction", "*": "multiplication", "/": "division", "none": "calculation"}

_WORDINGS: dict[str, tuple[str, ...]] = {
    "wrong_operation": (
        "used {wnoun} instead of {noun}",
        "{wverb} the amounts when {verb} was needed",
        "wrong operation: {wnoun} of {unit} where {noun} was called for",
    ),
    "stopped_early": (
        "omitted the final {noun} step",
        "stopped before {verb} to reach the answer",
        "gave an intermediate number of {unit} without {verb}",
    ),
    "wrong_constant": (
        "{verb} by {wvalue} where {value} was right",
        "incorrect conversion factor in {noun}",
        "wrong conversion factor for {unit}, {wvalue} instead of {value}",
    ),
    "wrong_operand": (
        "picked the wrong number for {noun}",
        "{verb} with a quantity that does not belong",
        "{noun} of {unit} with a misread number",
    ),
    "wrong_result": (
        "arithmetic slip in {noun}",
        "calculation error while {verb}",
        "miscalculated the {noun} of {unit}",
    ),
    "reversed": (
        "{noun} in the wrong order",
        "swapped the numbers when {verb}",
        "reversed {noun} of {unit}",
    ),
    "extra_step": (
        "unneeded {wnoun} after the answer",
        "kept {wverb} once the answer was found",
        "superfluous {wnoun} of {unit}",
    ),
    "different_step": (
        "misunderstood the relation, {wverb} at the wrong place",
        "{wnoun} does not follow from the question",
        "wrong plan for counting {unit}",
    ),
    "skipped_step": (
        "skipped the {noun} in the middle",
        "missing {noun} between two steps",
        "forgot {verb} the {unit} first",
    ),
    "unfounded_number": (
        "brought in {wvalue}, which nothing in the question gives",
        "assumed a quantity that is not stated",
        "number for {unit} appears without any working",
    ),
    "wrong_equation": (
        "set up a wrong equation for the unknown",
        "equation does not say what the question says",
        "{wnoun} in the equation misstates how the amounts relate",
    ),
    "wrong_quantity": (
        "answered with {wvalue}, not the quantity asked for",
        "settled on {unit} where something else was asked",
        "right steps but answered a different question",
    ),
}
VAGUE = ("calculation error", "incorrect reasoning", "wrong final answer", "logic error in the solution")


def word_finding(finding: Finding, draw: int) -> str:
    """Return the keyphrase for a finding. ``draw`` picks the wording."""
    options = _WORDINGS[finding.relation]
    phrase = options[draw % len(options)].format(
        verb=_VERB[finding.operation],
        noun=_NOUN[finding.operation],
        wverb=_VERB[finding.written_operation],
        wnoun=_NOUN[finding.written_operation],
        value=finding.expected or "another number",
        wvalue=finding.written or "one number",
        unit=finding.unit or "the result",
    )
    return phrase.replace("the the ", "the ")


def template_words() -> set[str]:
    """Return every word in the instructor's own wordings, without the words filled into slots."""
    import re

    texts = [w for ways in _WORDINGS.values() for w in ways] + [*VAGUE, *_VERB.values(), *_NOUN.values()]
    return {w for t in texts for w in re.findall(r"[a-z]+", re.sub(r"\{\w+\}", " ", t.lower()))}
