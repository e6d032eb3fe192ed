"""Self-Error-Instruct: teach a language model from its own kinds of mistakes."""
