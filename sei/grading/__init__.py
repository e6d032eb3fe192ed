"""Grading: is the stated answer equal to the gold answer? No model, no state; conventions in docs/grading.md.

``extract`` finds the stated answer, ``text`` brings it into one spelling, ``quantity`` reads numbers exactly,
``structure`` takes sets, tuples and intervals apart, ``sandbox`` asks computer algebra in a killable process.
"""

from sei.grading.extract import extract_flexible, extract_strict
from sei.grading.grader import MathGrader

__all__ = ["MathGrader", "extract_flexible", "extract_strict"]
