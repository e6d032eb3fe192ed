"""Makes ids unique: replay, counts of fixed and broken, and the page join records by id."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from sei.data.source import Row
from sei.store import digest

log = logging.getLogger(__name__)


def tell_apart(groups: Mapping[str, Sequence[Row]], taken: Collection[str] = ()) -> dict[str, list[Row]]:
    """Return the rows of all groups with unique ids.

    A unique id that is not in ``taken`` stays. Rows that share an id get a digest of their content appended, which does
    not depend on the order of rows and groups. Rows of a group with equal id and content become one row.
    """
    once = {name: list(dict.fromkeys(rows)) for name, rows in groups.items()}
    count = Counter(r.id for rows in once.values() for r in rows)
    count.update(count.keys() & set(taken))
    out: dict[str, list[Row]] = {}
    for name, rows in once.items():
        shared = sum(count[r.id] > 1 for r in rows)
        if shared:
            log.warning(
                "%s: %d of %d rows share their id with others; a digest of their content is appended",
                name, shared, len(rows),
            )  # fmt: skip
        if twice := len(groups[name]) - len(rows):
            log.warning("%s: %d rows repeat another in id and content and are dropped", name, twice)
        out[name] = [_with_digest(name, r) if count[r.id] > 1 else r for r in rows]
    return out


def _with_digest(name: str, row: Row) -> Row:
    return row._replace(id=f"{row.id}~{digest(name, list(row[1:]))[:12]}")
