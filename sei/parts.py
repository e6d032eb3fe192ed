"""Parts: frozen, strictly checked dataclasses that a config composes.

A part is built by ``_target_`` before a run starts. Unknown keys, wrong types and impossible values are refused then,
before any costly work. The store reads a part's identity (name, ``version``, settings); settings that cannot change a
result are marked ``Immaterial``.

The name is the class variable ``identity``, such as ``refiner/gradient``, so the file of a part may move. A part of
your own without a name is identified by its module and class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, dataclass_transform, get_type_hints

import pydantic
from pydantic import Field
from pydantic.dataclasses import dataclass as checked_dataclass

T = TypeVar("T")


class _Immaterial:
    """Marker for settings that cannot change a result (workers, timeouts, batch of progress lines)."""


IMMATERIAL = _Immaterial()
"""Put into ``Annotated[int, IMMATERIAL]`` to leave a setting out of store keys."""

_STRICT = pydantic.ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(Field, dataclasses.field))
def part(cls: type[T]) -> type[T]:
    """Turn a class into a part: frozen, keyword-only, types checked strictly, unknown keys refused.

    Raises:
        pydantic.ValidationError: if an instance is built with a wrong value.
    """
    make: Callable[[type[T]], Any] = checked_dataclass(config=_STRICT, frozen=True, kw_only=True)
    built: type[T] = make(cls)
    return built


def identity_of(cls: type) -> str:
    """Return the name of a part's class: its own ``identity`` (not an inherited one), or its module and class."""
    own = vars(cls).get("identity")
    return own if isinstance(own, str) else f"{cls.__module__}.{cls.__qualname__}"


def settings(obj: Any) -> dict[str, Any]:
    """Return the settings of a part that can change results, in field order."""
    hints = get_type_hints(type(obj), include_extras=True)
    return {
        f.name: getattr(obj, f.name)
        for f in dataclasses.fields(obj)
        if not any(isinstance(m, _Immaterial) for m in getattr(hints[f.name], "__metadata__", ()))
    }


def is_part(obj: Any) -> bool:
    """Say whether an object is a part (and not a record)."""
    return dataclasses.is_dataclass(obj) and not isinstance(obj, type) and hasattr(obj, "__pydantic_config__")


def node_of(obj: Any) -> Any:
    """Return a built value as the plain config node that ``sei.build.build`` makes the same value of."""
    if is_part(obj):
        held = {f.name: node_of(getattr(obj, f.name)) for f in dataclasses.fields(obj) if f.init}
        return {"_target_": f"{type(obj).__module__}.{type(obj).__qualname__}", **held}
    if isinstance(obj, dict):
        return {k: node_of(v) for k, v in obj.items()}
    return [node_of(v) for v in obj] if isinstance(obj, (list, tuple)) else obj


def parts_in(obj: Any) -> Iterator[Any]:
    """Yield every part inside a built value, each before the parts that it holds, in field and entry order."""
    if is_part(obj):
        yield obj
        held = [getattr(obj, f.name) for f in dataclasses.fields(obj)]
    else:
        held = list(obj.values()) if isinstance(obj, dict) else list(obj) if isinstance(obj, (list, tuple)) else []
    for value in held:
        yield from parts_in(value)


def is_part_class(cls: Any) -> bool:
    """Say whether a class was made with ``part``."""
    return isinstance(cls, type) and dataclasses.is_dataclass(cls) and hasattr(cls, "__pydantic_config__")
