"""Experiment trackers: one file for each choice of ``conf/tracker``. Only ``wandb.py`` writes to W&B."""
