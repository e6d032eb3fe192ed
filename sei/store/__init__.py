"""The content store: one mechanism for caching, resume and sharing between sweep jobs.

An entry's key is a hash of the stage (class, version, built settings, digests of what it reads), its
inputs and, for stages that draw, the seed. Rows are written aside and renamed last: ``entry.json``
exists only when an entry is done. A damaged entry is found by digest, put aside and made again.
``python -m sei.store`` lists and prunes.
"""

from sei.store.core import Store, Use
from sei.store.files import require_locks, require_writable, write_atomic
from sei.store.identity import canonical, digest, file_digest, folder_digest

__all__ = [
    "Store",
    "Use",
    "canonical",
    "digest",
    "file_digest",
    "folder_digest",
    "require_locks",
    "require_writable",
    "write_atomic",
]
