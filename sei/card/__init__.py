"""The teacher card measures an instructor before a whole run is paid for (``teacher_card=true``)."""
