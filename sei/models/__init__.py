"""Models: the target model, the embedder, and the recipes of the embedded base models."""
