"""Instructors behind an OpenAI-compatible server, with central retries, a cache of all paid answers, and a ledger."""
