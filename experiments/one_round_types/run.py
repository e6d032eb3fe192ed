"""Run the protocol's jobs: ``python -m experiments.one_round_types.run FOLDER [--jobs 2]``."""

from experiments import protocol
from experiments.one_round_types.arms import PROTOCOL

if __name__ == "__main__":
    raise SystemExit(protocol.run(PROTOCOL, __doc__))
