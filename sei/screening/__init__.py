"""Keeps synthetic text apart from held-out text, with fast search for near texts."""
