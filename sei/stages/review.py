"""The review file: a person can rename, merge, move and drop error types, with any clusterer."""

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
# A phrase that is not listed here, such as one of a later round, keeps the type that the clusterer gives it.
# With  unlisted: drop  it is left out.
"""


class ReviewedType(pydantic.BaseModel):
    """One error type with its phrases. ``drop`` leaves its bad cases out."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)
    name: str = pydantic.Field(min_length=1, max_length=200)
    phrases: list[str] = []
    drop: bool = False


class Review(pydantic.BaseModel):
    """The content of a review file. All bad cases with the same phrase stay together."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)
    unlisted: Literal["cluster", "drop"] = "cluster"
    types: list[ReviewedType]

    def place(self, phrases: Sequence[str], places: Sequence[str | None]) -> list[str | None]:
        """Return each phrase's type after review (``None``: left out). ``places`` are the clusterer's types."""
        named = {_plain(p): None if t.drop else t.name for t in self.types for p in t.phrases}
        other = {p: p if self.unlisted == "cluster" else None for p in places if p is not None}
        return [
            named[_plain(phrase)] if _plain(phrase) in named else (None if place is None else other[place])
            for phrase, place in zip(phrases, places, strict=True)
        ]

    def unseen(self, phrases: Sequence[str]) -> list[str]:
        """Return the listed phrases that are none of ``phrases``."""
        found = {_plain(p) for p in phrases}
        return [p for t in self.types for p in t.phrases if _plain(p) not in found]


def _plain(phrase: str) -> str:
    return " ".join(phrase.casefold().split())


def read_review(path: str) -> Review:
    """Read a review file.

    Raises:
        ConfigError: if it is missing, has another format, or lists a phrase in two types.
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
                f"review={path}: the phrase {phrase!r} is listed in {' and '.join(sorted(names))}. Rule: a phrase "
                "belongs to one type. Remedy: remove it from the others."
            )
    return review


def review_text(error_map: ErrorMap) -> str:
    """Return the review file of a map. A phrase of several types is listed in the type that has it most often."""
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
