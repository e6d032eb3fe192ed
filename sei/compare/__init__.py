"""Tables and figures of finished runs: ``python -m experiments.tables FOLDER...`` (run folders or sweep folders)."""
