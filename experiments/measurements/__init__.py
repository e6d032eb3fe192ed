"""Single measurements, each with its own command. Results are in experiments/README.md."""
