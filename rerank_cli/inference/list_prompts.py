"""One prompt that holds a whole list: its tokens, and where in them each document stands.

A prompt is written as parts in turn, fixed words and documents: words, document, words, document, ..., words. It is
tokenised whole, as the model's authors do, and the documents are found in it by character offsets. When it is too
long all documents are cut to one length, so that the short ones stay whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rerank_cli.errors import WrongUsage


class Placed(NamedTuple):
    """A prompt's token `ids (L,)` int64 and where in the text each ends, `ends (L,)`; of its n documents the `spans (n, 2)`,
    first token and the one behind the last, and `truncated (n,)` bool."""

    ids: np.ndarray
    ends: np.ndarray
    spans: np.ndarray
    truncated: np.ndarray


def placed(tokenizer: Any, parts: Sequence[str], max_length: int, *, framed: bool, most: int | None = None) -> Placed:
    """Tokenise `parts` as one text of at most `max_length` tokens, a document at most `most`.

    A token belongs where its last character stands. `framed`: whether the tokenizer puts its own tokens around the
    text. Markers in the fixed words are read as such when `tokenizer.encode_special_tokens` is off; documents must be
    plain already. Raises `WrongUsage` when the words alone leave no token for each document.
    """
    encoding = tokenizer.encode("".join(parts), add_special_tokens=framed)
    ids = np.array(encoding.ids, dtype=np.int64)
    ends = np.array([end for _, end in encoding.offsets], dtype=np.int64)
    own = np.array(encoding.special_tokens_mask) == 0
    bounds = np.cumsum([0, *map(len, parts)])
    inside = [
        np.flatnonzero(own & (ends > start) & (ends <= stop))
        for start, stop in zip(bounds[1:-1:2].tolist(), bounds[2::2].tolist(), strict=True)
    ]
    sizes = np.array([len(tokens) for tokens in inside], dtype=np.int64)
    room = max_length - (len(ids) - int(sizes.sum()))
    share = fair_share(np.minimum(sizes, most or max_length), room)
    if room < 0 or (share < 1 and sizes.any()):
        raise WrongUsage(
            f"{len(sizes)} documents do not fit into one prompt of {max_length} tokens",
            "fewer documents at a time are asked with a smaller --depth, or with --strategy sliding and --window",
        )
    kept = np.minimum(sizes, min(share, most or share))
    gone = [tokens[stay:] for tokens, stay in zip(inside, kept.tolist(), strict=True)]
    stays = np.ones(len(ids), dtype=bool)
    stays[np.concatenate([np.zeros(0, np.int64), *gone])] = False
    # Where each token of the whole prompt is in the cut one.
    place = np.concatenate([[0], np.cumsum(stays)])
    starts = np.array([place[tokens[0]] if len(tokens) else 0 for tokens in inside], dtype=np.int64)
    return Placed(ids[stays], ends[stays], np.stack([starts, starts + kept], 1), kept < sizes)


def fair_share(sizes: np.ndarray, room: int) -> int:
    """The largest number of tokens to which all documents of `sizes (n,)` can be cut to fit into `room` together."""
    left = room
    for at, size in enumerate(np.sort(sizes).tolist()):
        share = left // (len(sizes) - at)
        if size > share:
            return share
        left -= size
    return int(sizes.max(initial=0)) or room
