"""Do error types help a real language model on real word problems? A frozen protocol."""
