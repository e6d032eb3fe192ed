"""The content store: one mechanism for caching, resume and sharing between sweep jobs.

An entry's key is a hash of the stage (class, version, built settings, digests of what it reads), its inputs and, for
stages that draw, the seed. Results are written to another name and renamed at the end, so ``entry.json`` exists only
for a finished entry. A damaged entry is detected by its digest, put aside and made again. ``python -m sei.store`` lists
and prunes entries.
"""

from sei.store.core import Store, Use
from sei.store.files import require_writable, write_atomic
from sei.store.identity import canonical, digest, file_digest, folder_digest
from sei.store.locks import is_held, lock_of, patience, require_locks, shared

__all__ = [
    "Store",
    "Use",
    "canonical",
    "digest",
    "file_digest",
    "folder_digest",
    "is_held",
    "lock_of",
    "patience",
    "require_locks",
    "require_writable",
    "shared",
    "write_atomic",
]
