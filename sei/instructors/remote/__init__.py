"""Instructors behind an OpenAI-compatible server: one owner of retries, a cache of every paid answer, a ledger."""
