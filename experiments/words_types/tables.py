"""Tables of the protocol: ``python -m experiments.words_types.tables FOLDER``."""

from experiments.error_types.tables import Metrics, show
from experiments.words_types.arms import PROTOCOL

METRICS: Metrics = {
    "MAWPS, in domain (primary)": ("mawps_test", "last", "accuracy"),
    "SVAMP, out of domain": ("svamp", "last", "accuracy"),
    "MAWPS dev": ("mawps_dev", "last", "accuracy"),
}

if __name__ == "__main__":
    show(PROTOCOL, "full", __doc__, METRICS)
