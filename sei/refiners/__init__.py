"""Refiners: they decide which candidates are kept. Each choice of ``conf/refiner`` has its own file.

Most are scorers for ``sei.stages.refine.Refine``.
"""
