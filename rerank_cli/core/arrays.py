"""Arrays in files, none of which is short without anybody knowing.

Two things numpy does not say of a full disk: `np.save` writes through a C stream whose last bytes are lost
in silence when the disk fills as it is closed, and a write into a memory-mapped file that has no blocks yet
kills the process (SIGBUS).
"""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np


def save_array(path: Path, array: np.ndarray) -> None:
    """Write a `.npy` file; raises `OSError` when not all of it can be written."""
    with open(path, "wb") as file:
        # Not a file in numpy's eyes, so that it writes through Python, which looks at what became of each write.
        np.save(SimpleNamespace(write=file.write), array)


def mapped_array(path: Path, dtype: np.dtype[Any], length: int) -> np.memmap[Any, Any]:
    """A new `.npy` file of `length` numbers to write into, its room on the disk taken where the system can; raises `OSError` when there is none."""
    out = np.lib.format.open_memmap(path, "w+", dtype, (length,))
    if hasattr(os, "posix_fallocate"):  # a Mac has no such call
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
    return out
