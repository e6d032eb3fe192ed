"""Stages: small callables with typed input and output. None of them logs, none knows its neighbours."""
