"""Run the jobs: ``SEI_DATA=DATA python -m experiments.words_types.run FOLDER [--jobs 2] [--seeds 431 432]``."""

from experiments import protocol
from experiments.words_types.arms import PROTOCOL

if __name__ == "__main__":
    raise SystemExit(protocol.run(PROTOCOL, __doc__))
