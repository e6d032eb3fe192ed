"""Models: the target model, the embedder, and the recipe of the embedded base."""
