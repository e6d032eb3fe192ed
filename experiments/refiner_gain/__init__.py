"""What each refiner gains after fine-tuning, at equal budget."""
