"""``clusterer=codebook``: assigns each keyphrase to the nearest of a fixed list of error types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import pydantic
import yaml
from pydantic import Field

from sei.clusterers.number_of_types import Vectors, unit
from sei.errors import ConfigError
from sei.exchange import Grouping
from sei.parts import IMMATERIAL, part
from sei.ports import Embedder
from sei.returned import embedded
from sei.store import digest

_PACKAGED = Path(__file__).parent / "codebooks"
OTHER = "other"


class CodebookType(pydantic.BaseModel):
    """One type: its name and example phrases in the style of an instructor."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)
    name: str = pydantic.Field(min_length=1, max_length=200)
    phrases: list[Annotated[str, Field(min_length=1)]] = pydantic.Field(min_length=1)


class CodebookFile(pydantic.BaseModel):
    """The content of a codebook file."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)
    types: list[CodebookType] = pydantic.Field(min_length=1)


@part
class Codebook:
    """Assigns each phrase to the nearest prototype by cosine: the mean vector of a type's phrases, at unit length.

    ``codebook`` is ``packaged:school_mathematics`` or a file in the same format. A phrase with no prototype at least as
    similar as ``open_below`` goes into a type named "other". It is used like any type, its size shows how much the
    codebook lacks, and a review file can drop it. Types have the codebook's names. Only the phrases count, not the
    findings that ``cluster.finding_weight`` adds to the vectors.
    """

    identity: ClassVar[str] = "clusterer/codebook"
    version: ClassVar[int] = 1
    embedder: Embedder
    codebook: Annotated[str, IMMATERIAL] = "packaged:school_mathematics"  # the key contains its text, not its path
    open_below: Annotated[float, Field(ge=-1, le=1)] = 0.3

    def __post_init__(self) -> None:
        """Refuse a missing or invalid codebook before any cost arises."""
        read_codebook(self.codebook)

    def reads(self) -> dict[str, str]:
        """Return the digest of the codebook's content."""
        return {"codebook": digest(read_codebook(self.codebook).model_dump())}

    def group(self, phrases: Sequence[str], vectors: Vectors, seed: int) -> Grouping:
        """Give each phrase the type of its nearest prototype. Labels follow the codebook's order, without unused types.

        ``vectors`` are not used: prototypes and phrases must be embedded in the same way.
        """
        types = read_codebook(self.codebook).types
        prototypes = unit(np.array([embedded(self.embedder, t.phrases).mean(axis=0) for t in types]))
        distinct = sorted(set(phrases))
        alike = embedded(self.embedder, distinct) @ prototypes.T
        nearest = np.where(alike.max(axis=1) < self.open_below, len(types), alike.argmax(axis=1))
        used, labels = np.unique(nearest, return_inverse=True)
        at = {p: int(x) for p, x in zip(distinct, labels, strict=True)}
        names = [*(t.name for t in types), OTHER]
        return Grouping(labels=tuple(at[p] for p in phrases), names=tuple(names[i] for i in used))


def read_codebook(where: str) -> CodebookFile:
    """Read a codebook: a file, or ``packaged:NAME``.

    Raises:
        ConfigError: if it is missing, has another format, or contains a name or phrase twice.
    """
    name = where.removeprefix("packaged:")
    path = _PACKAGED / f"{name}.yaml" if where.startswith("packaged:") else Path(where).expanduser()
    have = ", ".join(sorted(f"packaged:{p.stem}" for p in _PACKAGED.glob("*.yaml")))
    remedy = f"Remedy: copy a codebook that comes with sei ({have}) and edit it"
    try:
        book = CodebookFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
        raise ConfigError(f"clusterer.codebook={where}: cannot be read ({e}). {remedy}.") from e
    except pydantic.ValidationError as e:
        first = e.errors()[0]
        at = ".".join(str(x) for x in first["loc"]) or "the file"
        raise ConfigError(
            f"clusterer.codebook={where}: {at}={repr(first['input'])[:80]}: {first['msg']}. {remedy}."
        ) from e
    names = Counter(t.name.casefold() for t in book.types)
    phrases = Counter(p.casefold() for t in book.types for p in t.phrases)
    twice = [x for x, n in [*names.items(), *phrases.items()] if n > 1]
    if twice or OTHER in names:
        what = f"the name {OTHER!r} is for phrases that fit no type" if OTHER in names else f"{twice[0]!r} occurs twice"
        raise ConfigError(
            f"clusterer.codebook={where}: {what}. Rule: a name or phrase belongs to one type. "
            "Remedy: rename or remove it."
        )
    return book
