"""Clusterers: they group keyphrases into error types. Each choice of ``conf/clusterer`` has its own file."""
