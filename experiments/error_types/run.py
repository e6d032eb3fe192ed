"""Run the protocol's jobs: ``python -m experiments.error_types.run FOLDER [--jobs 2]``."""

from experiments import protocol
from experiments.error_types.arms import PROTOCOL

if __name__ == "__main__":
    raise SystemExit(protocol.run(PROTOCOL, __doc__))
