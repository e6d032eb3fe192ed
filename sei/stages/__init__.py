"""Stages: small callables with typed input and output. A stage writes no tracker and knows no other stage."""
