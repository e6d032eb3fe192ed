"""Grading: does the stated answer equal the gold answer? Uses no model and no state; see docs/grading.md for the rules.

``extract`` finds the stated answer, ``text`` gives it one spelling, ``quantity`` reads numbers exactly, ``structure``
splits sets, tuples and intervals, ``sandbox`` runs computer algebra in processes that can be killed, and ``several``
grades other rows in the meantime.
"""

from sei.grading.extract import extract_flexible, extract_strict
from sei.grading.grader import MathGrader

__all__ = ["MathGrader", "extract_flexible", "extract_strict"]
