"""Single measurements, each a command of its own; what they found stands in experiments/README.md."""
