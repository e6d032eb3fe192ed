"""Fine-tuners: they train the target model, supervised or by rewards."""
