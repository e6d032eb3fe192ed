"""What synthetic text is kept apart from, and how nearness is found fast."""
