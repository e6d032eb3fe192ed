"""Fine-tuners: how the target model is taught, and what a reward is."""
