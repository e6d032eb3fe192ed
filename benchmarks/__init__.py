"""Side-by-side and absolute measurements; each is a command."""
