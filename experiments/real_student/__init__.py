"""A real student on GSM8K and MATH: a protocol written before its runs (README.md), its prompt, jobs and tables."""
