"""Do error types make one round more efficient? A frozen protocol."""
