"""Tables of the protocol: ``python -m experiments.combined_types.tables FOLDER``."""

from experiments.combined_types.arms import PROTOCOL
from experiments.error_types.tables import show

if __name__ == "__main__":
    show(PROTOCOL, "combined", __doc__)
