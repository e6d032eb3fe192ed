"""The teacher card: how good an instructor is, before money is spent on a run with it (``teacher_card=true``)."""
