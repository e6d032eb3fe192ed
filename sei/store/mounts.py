"""File systems that several machines share, as Linux lists them in ``/proc/self/mountinfo``."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_LIST = Path("/proc/self/mountinfo")
_SHARED = frozenset(
    ("nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "smb3", "glusterfs", "afs", "panfs", "pvfs2", "wekafs",
     "ocfs2", "gfs2")
)  # fmt: skip
_ALONE = {  # options with which flock holds for one machine alone
    "nfs": ("nolock", "local_lock=flock", "local_lock=all"),
    "nfs4": ("nolock", "local_lock=flock", "local_lock=all"),
    "lustre": ("localflock",),
    "cifs": ("nobrl", "nolock"),
    "smb3": ("nobrl", "nolock"),
}
_ALONE_BY_DEFAULT = ("beegfs",)  # and no option shows it


class Mount(NamedTuple):
    """The type of a file system, such as ``nfs4``, and its mount options."""

    kind: str
    options: frozenset[str]

    @property
    def shared(self) -> bool:
        """Whether other machines may use it too. A program that serves one (FUSE) counts, whatever it serves."""
        return self.kind in _SHARED or self.kind.startswith("fuse.")

    @property
    def locks_alone(self) -> str:
        """Say why its locks hold for one machine only, or nothing."""
        if said := self.options.intersection(_ALONE.get(self.kind, ())):
            return f"it is mounted with {min(said)}, so its locks hold for one machine alone"
        if self.kind in _ALONE_BY_DEFAULT or self.kind.startswith("fuse."):
            return f"locks of {self.kind} may hold for one machine alone"
        return ""


LOCAL = Mount("", frozenset())


def mount_of(folder: Path) -> Mount:
    """Return the file system of a folder; a local one if that is not known."""
    try:
        lines = _LIST.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return LOCAL
    place, found, longest = folder.resolve(), LOCAL, -1
    for line in lines:
        head, _, tail = line.partition(" - ")
        words, rest = head.split(), tail.split()
        if len(words) < 6 or len(rest) < 3:
            continue
        point = Path(words[4].encode().decode("unicode_escape"))  # a blank is written as \040
        if place.is_relative_to(point) and len(point.parts) >= longest:  # a later line covers an earlier one
            longest = len(point.parts)
            found = Mount(rest[0], frozenset([*words[5].split(","), *rest[2].split(",")]))
    return found
