"""`rerank eval` beside trec_eval and ir_measures' command: whole processes on the same large run, in turn.

`python benchmarks/evaluation.py [--full] [--rounds N]`. `--full` is 6,980 queries x 1,000 documents (250 MB), and
100,000 x 10 and 10 x 100,000 besides. trec_eval is the one that TREC_EVAL names, else the one on PATH (build it
with -O2). The aim is half its time, with one judgement a query and with 200, and four times the file in memory.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from shared.large_runs import RERANK, in_turn, print_table, write_qrels, write_runs

MEASURES = ("nDCG@10", "RR@10", "AP", "R@1000", "P@10")
TREC_NAMES = ("ndcg_cut.10", "recip_rank", "map", "recall.1000", "P.10")


def commands(run: Path, qrels: Path, per_query: bool) -> dict[str, list[str]]:
    """The programs that are there, by name; who is not is said on stderr."""
    wanted = [word for name in MEASURES for word in ("-m", name)]
    found = {
        "rerank eval": [*RERANK, "eval", *wanted, "-Q", str(qrels), str(run), *(["--per-query"] if per_query else [])]
    }
    trec_eval = os.environ.get("TREC_EVAL") or shutil.which("trec_eval")
    if trec_eval:
        names = [word for name in TREC_NAMES for word in ("-m", name)]
        found["trec_eval"] = [trec_eval, "-c", *(["-q"] if per_query else []), *names, str(qrels), str(run)]
    else:
        print("trec_eval is neither on PATH nor named by TREC_EVAL: left out", file=sys.stderr)
    ir_measures = shutil.which("ir_measures", path=str(Path(sys.executable).parent)) or shutil.which("ir_measures")
    if ir_measures and not per_query:
        found["ir_measures"] = [ir_measures, str(qrels), str(run), " ".join(MEASURES)]
    return found


def main() -> None:
    """Print a table for each shape of run and depth of judgement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the sizes that the aims are for")
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    shapes = [(6980, 1000), (100_000, 10), (10, 100_000)] if told.full else [(2000, 1000), (10_000, 10)]
    for queries, depth in shapes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            run = write_runs(folder, queries, depth, 1)[0]
            megabytes = run.stat().st_size / 1e6
            for judged in (1, 200) if depth >= 200 else (1,):
                qrels = write_qrels(run, folder / "qrels.txt", judged)
                for per_query in (False, True):
                    title = f"{queries} queries x {depth} documents ({megabytes:.0f} MB), {judged} judged a query"
                    measured = in_turn(commands(run, qrels, per_query), told.rounds)
                    print_table(title + ", per query" * per_query, measured, "rerank eval", megabytes)


if __name__ == "__main__":
    main()
