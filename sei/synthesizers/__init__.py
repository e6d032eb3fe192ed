"""Synthesizers: new problems. One file for each choice of ``conf/synthesizer``."""
