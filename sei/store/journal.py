"""Values that a stage saves during long work, in its folder of the store, so that it resumes where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pydantic

from sei.store.files import appending, read_rows

Value = TypeVar("Value")
_ANY: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(Any)


class Journal:
    """Plain values (numbers, texts, lists of them) by name; ``write`` saves one to disk."""

    def __init__(self, kept: dict[str, Any], write: Callable[[str, Any], None]) -> None:
        self._kept, self._write = kept, write

    def __contains__(self, name: str) -> bool:
        return name in self._kept

    def names(self) -> list[str]:
        """Return the names of all saved values."""
        return list(self._kept)

    def get(self, name: str) -> Any:
        """Return a saved value."""
        return self._kept[name]

    def put(self, name: str, value: Any) -> None:
        """Save a value; it is on disk when this returns."""
        self._write(name, value)
        self._kept[name] = value

    def once(self, name: str, make: Callable[[], Value], elsewhere: Value | None = None) -> Value:
        """Return the saved value, or make and save it.

        ``elsewhere``: what a process of several gets for a value that another one makes (``sei.lit.scoring``).
        """
        del elsewhere  # this process makes every value
        if name not in self._kept:
            self.put(name, make())
        found: Value = self._kept[name]
        return found


@contextmanager
def journal(folder: Path | None, file: str = "values.jsonl") -> Iterator[Journal]:
    """Open the journal of a stage; without a folder it is in memory only.

    Numbers are restored exactly. An incomplete last line is dropped, and its value is made again.

    Raises:
        DiskError: if a value cannot be written.
    """
    if folder is None:
        yield Journal({}, lambda *_: None)
        return
    folder.mkdir(parents=True, exist_ok=True)
    kept, *_ = read_rows(folder / file, _ANY)
    with appending(folder / file) as append:
        yield Journal(kept, lambda name, value: append(name, value, 0.0))
