"""Side-by-side and absolute measurements, each a command."""
