"""Everything about Lightning: the module, the data modules, the trainer and batch planning."""
