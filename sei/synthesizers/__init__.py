"""Synthesizers: they make new problems. Each choice of ``conf/synthesizer`` has its own file."""
