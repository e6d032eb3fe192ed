"""The same weights, prompts and outputs in lm-evaluation-harness and in sei."""
