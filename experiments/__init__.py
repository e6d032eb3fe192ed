"""What was measured, and the tools that make tables of it. Depends on sei, never the other way round."""
