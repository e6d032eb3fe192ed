"""The first measurement: a frozen protocol (README.md), its jobs (``run``) and its tables (``tables``)."""
