"""Every ranking algorithm over one run with one model: nDCG@10, questions a query, seconds; a Markdown table.

`python benchmarks/strategies.py -c COLLECTION RUN [-m MODEL] [-k 100] [--cache] [STRATEGY...]` with the Python of the environment.
The model scores each pair once a strategy, so that seconds beyond those of `by itself` are the algorithm's own; with --cache
scores come from the cache directory and what is left is the algorithm's own, reading and writing. A strategy may carry options after
a colon: `heapsort:--fanout 9`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RERANK = [sys.executable, "-P", "-m", "rerank_cli"]
#: The algorithms, and some again with other settings.
ALL = (
    "by itself",
    "single",
    "sliding",
    "sliding:--passes 2",
    "heapsort",
    "heapsort:--fanout 19",
    "heapsort:--orders both",
    "bubblesort",
    "tournament",
    "topdown",
    "tour",
    "drop",
    "blocks",
    "groups",
    "allpairs",
    "sampled",
    "neighbourhood",
    "skip-window",
)


def run(*arguments: str) -> str:
    done = subprocess.run([*RERANK, *arguments], cwd=ROOT, check=True, capture_output=True)
    return done.stdout.decode()


def measured(named: str, options: argparse.Namespace, folder: Path) -> tuple[float, float, float]:
    """nDCG@10, questions a query, seconds of the whole command."""
    strategy, _, more = named.partition(":")
    chosen = [] if strategy == "by itself" else ["--strategy", strategy, *shlex.split(more)]
    out, stats = folder / "run", folder / "stats"
    began = time.perf_counter()
    run(
        *("rerank", options.run, "-c", options.collection, "-m", options.model, "-k", str(options.depth)),
        *(*chosen, "--cache" if options.cache else "--no-cache", "-o", str(out), "--stats", str(stats), "-q"),
    )
    seconds = time.perf_counter() - began
    value = run("eval", str(out), "-c", options.collection, "-m", "nDCG@10", "--format", "tsv", "-q").split()[-1]
    lines = [json.loads(line) for line in stats.read_text().splitlines()]
    asked = sum(line["questions"] or line["pairs"] for line in lines) / len(lines)
    return float(value), asked, seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("strategies", nargs="*", default=ALL)
    parser.add_argument("-c", dest="collection", required=True)
    parser.add_argument("-m", dest="model", default="minilm")
    parser.add_argument("-k", dest="depth", type=int, default=100)
    parser.add_argument("--cache", action="store_true")
    options = parser.parse_args()
    print("| strategy | nDCG@10 | questions a query | seconds |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for named in options.strategies or ALL:
            value, asked, seconds = measured(named, options, Path(folder))
            print(f"| `{named.replace(':', ' ')}` | {value:.4f} | {asked:.1f} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
