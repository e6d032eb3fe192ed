"""How large a teacher card is: the ``card`` node of the config."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from sei.parts import part


@part
class Card:
    """Sizes of a teacher card.

    ``cases``: wrong attempts that are shown, for the first wrong step and for the keyphrase. ``rows``: the JSONL file
    that they come from, with steps that people have marked; ``None``: the built-in ones. ``problems``: problems that
    the instructor writes and then solves anew, ``per_request`` at a time. ``seed`` draws cases and exemplars; every
    instructor is asked the same for the same seed.
    """

    identity: ClassVar[str] = "card/settings"
    version: ClassVar[int] = 1
    cases: Annotated[int, Field(ge=1, le=10_000)] = 50
    problems: Annotated[int, Field(ge=0, le=10_000)] = 40
    per_request: Annotated[int, Field(ge=1, le=100)] = 10
    seed: Annotated[int, Field(ge=0)] = 0
    rows: str | None = None
