"""Grading: is the stated answer equal to the gold answer? Pure functions, no model, no state.

Covered here: numbers (integers, decimals, fractions, mixed numbers, thousands separators, currency,
percent, units). Not covered yet: expressions, sets, intervals, choices by letter.
"""

from sei.grading.numbers import NumericGrader, Outcome, extract_flexible, extract_strict, parse_number

__all__ = ["NumericGrader", "Outcome", "extract_flexible", "extract_strict", "parse_number"]
