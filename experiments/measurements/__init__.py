"""Single measurements, each a command of its own; a page beside it holds what it found (index: ../README.md)."""
