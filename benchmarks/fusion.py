"""`rerank fuse` beside Python dictionaries: reciprocal rank fusion of large runs, whole processes, in turn.

`python benchmarks/fusion.py [--full] [--rounds N]`. `--full` is two and three runs of 6,980 queries x 1,000 documents
(250 MB each), and 100,000 x 10 and 10 x 100,000. The aims are a fifth of the dictionaries' time, five times the
file in memory for two runs, 4 GiB for three.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from shared.large_runs import RERANK, in_turn, print_table, write_runs


def with_dictionaries(paths: list[str], out: str) -> None:
    """What one writes in a notebook: a dictionary of dictionaries, no check of anything."""
    totals: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for path in paths:
        with open(path) as lines:
            for line in lines:
                qid, _, docid, rank, _, _ = line.split()
                totals[qid][docid] += 1 / (60 + int(rank))
    with open(out, "w") as file:
        for qid, scores in totals.items():
            best = sorted(scores.items(), key=lambda pair: -pair[1])[:1000]
            file.writelines(f"{qid} Q0 {docid} {rank} {score:.6f} rrf\n" for rank, (docid, score) in enumerate(best, 1))


def main() -> None:
    """Print a table for each shape of runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the sizes that the aims are for")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dictionaries", nargs="+", metavar="PATH", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.dictionaries:
        with_dictionaries(told.dictionaries[:-1], told.dictionaries[-1])
        return
    large = [(6980, 1000, 2), (6980, 1000, 3), (100_000, 10, 2), (10, 100_000, 2)]
    for queries, depth, runs in large if told.full else [(2000, 1000, 2), (10_000, 10, 2)]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            paths = write_runs(folder, queries, depth, runs)
            megabytes = paths[0].stat().st_size / 1e6
            read = ["--depth", str(depth)]
            commands = {
                "rerank fuse": [*RERANK, "fuse", *read, *map(str, paths), "-o", str(folder / "fused.run")],
                "Python dictionaries": [
                    sys.executable, __file__, "--dictionaries", *map(str, paths), str(folder / "plain.run"),
                ],
            }  # fmt: skip
            title = f"{runs} runs of {queries} queries x {depth} documents ({megabytes:.0f} MB each)"
            print_table(title, in_turn(commands, told.rounds), "rerank fuse", megabytes)


if __name__ == "__main__":
    main()
