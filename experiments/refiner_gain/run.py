"""Run the protocol's jobs: ``python -m experiments.refiner_gain.run FOLDER [--jobs 2]``."""

from experiments import protocol
from experiments.refiner_gain.arms import PROTOCOL

if __name__ == "__main__":
    raise SystemExit(protocol.run(PROTOCOL, __doc__))
