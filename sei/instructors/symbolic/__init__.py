"""The embedded instructor for word problems. It uses rules instead of a language model."""
