"""The lines of many lists at once: a record of fixed width for each row, then the padding taken out.

Only for rows of which it is certain that they come out as `run_writer` writes them one by one: ids in arrays of
fixed width and without blanks, scores whose shortest decimal needs no exponent.
"""

from __future__ import annotations

import io

import numpy as np

from rerank_cli.core.hashing import fingerprints, one_of_each
from rerank_cli.core.run import Run
from rerank_cli.formats.regular import regular_lines

#: Python writes floats of these sizes, and polars does, without an exponent.
_PLAIN_FROM, _PLAIN_TO = 1e-4, 1e15
#: Ids of queries may differ in length by so many bytes: every record has room for the longest.
_UNEVEN = 64
#: Where each score stands so many times, Python makes decimals of the different ones faster than polars of all.
_REPEATED = 8


def trec_lines(run: Run, scores: np.ndarray, tag: bytes, *, many: bool = True) -> bytes | None:
    """The TREC lines of a run's lists with these `scores (N,)`, or None where that is not certain to be right. O(N).

    `many`: there are so many, here and elsewhere, that loading polars pays.
    """
    if run.docids.dtype == object or not len(scores) or b"\0" in tag or not _plain(scores):
        return None
    if any(qid.startswith(b"#") or len(qid.split()) != 1 for qid in run.qids) or _has_blanks(run.docids):
        return None
    if max(map(len, run.qids)) > min(map(len, run.qids)) + _UNEVEN:
        return None
    fronts = np.array([qid + b" Q0 " for qid in run.qids])
    lengths = np.diff(run.offsets)
    ranks = np.array([b" %d " % rank for rank in range(1, int(lengths.max()) + 1)])
    texts = _decimals(scores, many)
    back = b" " + tag + b"\n"
    fields = {"front": fronts.dtype, "docid": run.docids.dtype, "rank": ranks.dtype, "score": texts.dtype}
    table = np.empty(len(scores), dtype=[*fields.items(), ("back", f"S{len(back)}")])
    table["front"] = np.repeat(fronts, lengths)
    table["docid"] = run.docids
    table["rank"] = ranks[np.arange(len(scores)) - np.repeat(run.offsets[:-1], lengths)]
    table["score"] = texts
    table["back"] = back
    codes = table.view(np.uint8)
    return codes[codes != 0].tobytes()


def _plain(scores: np.ndarray) -> bool:
    sizes = np.abs(scores)
    return bool(np.all((sizes == 0) | ((sizes >= _PLAIN_FROM) & (sizes < _PLAIN_TO))))


def _has_blanks(docids: np.ndarray) -> bool:
    """Whether an id is empty or holds a byte that could be a blank."""
    codes = np.ascontiguousarray(docids).view(np.uint8).reshape(len(docids), docids.dtype.itemsize)
    return bool(np.any((codes <= ord(" ")) & (codes != 0)) or np.any(codes[:, 0] == 0))


def _decimals(scores: np.ndarray, many: bool) -> np.ndarray:
    """The shortest decimals that read back to the scores, (n,) bytes; made once of those that repeat, as sums of ranks do."""
    same = one_of_each(fingerprints(scores.view("S8"), np.zeros(len(scores), dtype=np.int8)))
    first = same == np.arange(len(same))
    distinct = scores[first]
    if many and len(distinct) > len(scores) // _REPEATED:
        texts = _by_polars(distinct)
    else:
        texts = np.array([repr(score).encode() for score in distinct.tolist()])
    return texts[(np.cumsum(first) - 1)[same]]


def _by_polars(scores: np.ndarray) -> np.ndarray:
    import polars as pl

    out = io.BytesIO()
    pl.DataFrame({"score": scores}).write_csv(out, include_header=False)
    lines = regular_lines(out.getvalue(), fields=1)
    assert lines is not None
    return lines.ids(0)
