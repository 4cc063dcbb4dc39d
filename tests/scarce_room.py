"""Models in this process with too little memory: PyTorch's own allocator fails, in earnest, where a test wants it to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: More numbers than any machine has room for, and the rows of a vocabulary (position tables have fewer).
VAST, VOCABULARY = 1 << 46, 60


@contextmanager
def room_for(fits: Callable[[int, int], bool]) -> Iterator[list[tuple[int, int]]]:
    """Let every model ask for a vast array when it is given ids (rows, length) that do not fit; yields what was refused."""
    import torch
    from torch.nn.modules.module import register_module_forward_pre_hook

    refused: list[tuple[int, int]] = []

    def look(module: Any, inputs: Any) -> None:
        if isinstance(module, torch.nn.Embedding) and module.num_embeddings > VOCABULARY:
            rows, length = inputs[0].shape
            if not fits(rows, length):
                refused.append((rows, length))
                torch.empty(VAST)

    hook: Any = register_module_forward_pre_hook(look)
    try:
        yield refused
    finally:
        hook.remove()
