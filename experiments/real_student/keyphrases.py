"""Print what a teacher's diagnoses hold: counts, wordings, bare operations, and keyphrases drawn to be judged.

``python -m experiments.real_student.keyphrases RUN/round_1/diagnoses.jsonl``
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from pathlib import Path

_OPERATIONS = ("addition", "subtraction", "multiplication", "division")


def main() -> None:
    """Print the numbers of page 23 for one file of diagnoses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", type=int, default=601)
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.file.read_text(encoding="utf-8").splitlines()]
    named = [(str(r["bad_case"]["problem"]["id"]), r["keyphrase"]["phrase"]) for r in rows if r.get("keyphrase")]
    phrases = Counter(phrase.casefold() for _, phrase in named)
    refused = Counter(r["rejection"]["reason"] for r in rows if r.get("rejection"))
    print(f"{len(rows)} diagnoses: {len(named)} named, refused: {dict(refused)}")
    print(f"{len({phrase for _, phrase in named})} wordings; bare: { {x: phrases[x] for x in _OPERATIONS} }")
    rng = random.Random(args.seed)
    for of_math in (False, True):
        group = [(name, phrase) for name, phrase in named if name.startswith("math") is of_math]
        for name, phrase in rng.sample(group, min(5, len(group))):
            print(f"{name} | {phrase}")


if __name__ == "__main__":
    main()
