"""Do error types help? A frozen protocol (README.md), its jobs (``run``) and its table (``tables``)."""
