"""The review file: error types as a person may rename, merge, move and drop them, for any clusterer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pydantic
import yaml

from sei.errors import ConfigError
from sei.records import ErrorMap

_HEAD = """\
# Error types of one round. Edit, save elsewhere, and run again with  review=PATH  (any clusterer).
#   rename  change a name            merge  give two types the same name
#   move    cut a phrase, paste it   drop   write  drop: true  below a name, or move phrases to such a type
# A phrase that stands nowhere here (of later rounds, say) goes where the clusterer puts it;
# with  unlisted: drop  it is left out.
"""


class ReviewedType(pydantic.BaseModel):
    """One error type with its phrases; ``drop`` leaves its bad cases out."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)
    name: str = pydantic.Field(min_length=1, max_length=200)
    phrases: list[str] = []
    drop: bool = False


class Review(pydantic.BaseModel):
    """What a review file says. The unit is the phrase: all bad cases with it go together."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)
    unlisted: Literal["cluster", "drop"] = "cluster"
    types: list[ReviewedType]

    def place(self, phrases: Sequence[str], places: Sequence[str | None]) -> list[str | None]:
        """Return the type of each phrase after review (``None``: left out), given the clusterer's ``places``."""
        named = {_plain(p): None if t.drop else t.name for t in self.types for p in t.phrases}
        other = {p: p if self.unlisted == "cluster" else None for p in places if p is not None}
        return [
            named[_plain(phrase)] if _plain(phrase) in named else (None if place is None else other[place])
            for phrase, place in zip(phrases, places, strict=True)
        ]


def _plain(phrase: str) -> str:
    return " ".join(phrase.casefold().split())


def read_review(path: str) -> Review:
    """Read a review file.

    Raises:
        ConfigError: when it is missing, is no YAML of this shape, or has a phrase in two types.
    """
    remedy = "Remedy: start again from a round's error_types.yaml"
    try:
        found = yaml.safe_load(Path(path).expanduser().read_text(encoding="utf-8"))
        review = Review.model_validate(found)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
        raise ConfigError(f"review={path}: cannot be read ({e}). {remedy}.") from e
    except pydantic.ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(x) for x in first["loc"]) or "the file"
        raise ConfigError(f"review={path}: {where}={repr(first['input'])[:80]}: {first['msg']}. {remedy}.") from e
    holders: dict[str, set[str]] = defaultdict(set)
    for i, t in enumerate(review.types):
        for p in t.phrases:
            holders[_plain(p)].add(f"{t.name} (type {i + 1})")
    for phrase, names in holders.items():
        if len(names) > 1:
            raise ConfigError(
                f"review={path}: the phrase {phrase!r} stands in {' and '.join(sorted(names))}; a phrase belongs to "
                "one type. Remedy: remove it from the others."
            )
    return review


def review_text(error_map: ErrorMap) -> str:
    """Return the review file of a map: a phrase that several types hold stands in the one that holds it most."""
    held: dict[str, Counter[str]] = defaultdict(Counter)
    written: dict[str, str] = {}
    for t in error_map.types:
        for k in t.members:
            held[_plain(k.phrase)][t.name] += 1
            written.setdefault(_plain(k.phrase), " ".join(k.phrase.split()))
    listed: dict[str, list[str]] = {t.name: [] for t in error_map.types}
    for phrase, types in held.items():
        listed[types.most_common(1)[0][0]].append(written[phrase])
    rows = [{"name": name, "phrases": sorted(phrases)} for name, phrases in listed.items()]
    body = yaml.safe_dump(
        {"unlisted": "cluster", "types": rows},
        sort_keys=False,
        allow_unicode=True,
        width=10_000,
        default_flow_style=False,
    )
    return _HEAD + body
