"""Tables and figures of finished runs: ``python -m sei.compare FOLDER...`` (run folders or sweep folders)."""
