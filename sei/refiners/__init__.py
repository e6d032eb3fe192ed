"""Refiners: which candidates are kept. One file for each choice of ``conf/refiner``; most are scorers of ``Refine``."""
