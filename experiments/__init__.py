"""Measurements, and the tools that make tables from them. Depends on sei, never the other way round."""
