"""Run the protocol's jobs: ``python -m experiments.first_measurement.run FOLDER [--blocks main ...] [--jobs 2]``."""

from experiments import protocol
from experiments.first_measurement.arms import PROTOCOL

if __name__ == "__main__":
    raise SystemExit(protocol.run(PROTOCOL, __doc__))
