"""Reports: all files that a run leaves behind, rebuilt from records."""
