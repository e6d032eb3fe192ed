"""The embedded instructor for ordering puzzles. It uses rules instead of a language model."""
