"""The size of a teacher card: the ``card`` node of the config."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from sei.parts import part


@part
class Card:
    """Sizes of a teacher card.

    ``cases``: the number of wrong attempts to show. Each is asked about twice: its first wrong step and its keyphrase.
    ``rows``: a JSONL file of attempts with steps marked by people; ``None``: built-in attempts. ``problems``: the
    number of problems that the instructor writes and then solves again, ``per_request`` at a time. ``seed`` draws cases
    and exemplars. With the same seed every instructor gets the same requests.
    """

    identity: ClassVar[str] = "card/settings"
    version: ClassVar[int] = 1
    cases: Annotated[int, Field(ge=1, le=10_000)] = 50
    problems: Annotated[int, Field(ge=0, le=10_000)] = 40
    per_request: Annotated[int, Field(ge=1, le=100)] = 10
    seed: Annotated[int, Field(ge=0)] = 0
    rows: str | None = None
