"""The Lightning side: one module, complete data modules, the composed trainer, batch planning."""
