"""Clusterers: keyphrases to error types. One file for each choice of ``conf/clusterer``."""
