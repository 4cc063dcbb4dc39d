"""Whether a folder lies on a disk that other machines may use at the same time: what is safe among processes may not be there."""

from __future__ import annotations

import os
from pathlib import Path

# fmt: off
_KINDS = frozenset([
    "9p", "afs", "beegfs", "ceph", "cifs", "gfs2", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "ocfs2", "orangefs", "panfs",
    "pvfs2", "smb3", "smbfs", "virtiofs", "wekafs",
])
# fmt: on


def on_network_disk(folder: Path) -> bool:
    """Whether the file system of `folder` (which need not exist) is one of a network; False where Linux does not tell."""
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return False
    kind = file_system(os.fsencode(folder.resolve()), mounts)
    # What a program of the user's provides (sshfs, glusterfs, s3fs) is named fuse.PROGRAM.
    return kind in _KINDS or kind.startswith("fuse")


def file_system(path: bytes, mounts: bytes) -> str:
    """The kind of file system that an absolute path without links lies on, by the lines of /proc/self/mountinfo; empty for none."""
    kind, longest = b"", -1
    for line in mounts.splitlines():
        before, _, after = line.partition(b" - ")
        point = before.split(b" ")[4].decode("unicode_escape").encode("latin-1")  # a blank is written \040
        # Of two mounted at one place the later is seen.
        if len(point) >= longest and (path + b"/").startswith(point.rstrip(b"/") + b"/"):
            kind, longest = after.split(b" ")[0], len(point)
    return kind.decode()
