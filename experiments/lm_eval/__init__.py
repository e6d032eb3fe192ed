"""The same weights, prompts and outputs through lm-evaluation-harness and through this program."""
