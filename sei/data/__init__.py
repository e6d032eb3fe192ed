"""Data sets: each is a part that returns a ``DataSet``; there is a file for each kind."""
