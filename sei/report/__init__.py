"""Reports: everything a run leaves behind, rebuilt from records."""
