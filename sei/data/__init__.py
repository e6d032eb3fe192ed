"""Data sets: one file each, every one a part that returns a ``DataSet``."""
