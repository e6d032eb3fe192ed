"""The embedded instructor for ordering puzzles: made of rules, without a language model."""
