"""How long commands take that run no model: medians over many starts, beside Python's own.

Run it with the Python of the environment, on a machine with nothing else to do:
`python benchmarks/startup.py [STARTS]`. The aim for `rerank --help` is 0.15 s.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RERANK = [sys.executable, "-P", "-m", "rerank_cli"]


def small_files(folder: Path, queries: int = 50, depth: int = 100) -> tuple[Path, Path, Path]:
    """Two runs and their judgements, drawn at random: `queries * depth` lines a run."""
    draw = random.Random(0)
    runs = []
    for name in ("a", "b"):
        lines = [
            f"{query} Q0 d{document} {rank} {1000 - rank} {name}\n"
            for query in range(queries)
            for rank, document in enumerate(draw.sample(range(10 * depth), depth), 1)
        ]
        runs.append(folder / f"{name}.trec")
        runs[-1].write_text("".join(lines))
    qrels = folder / "qrels.txt"
    qrels.write_text(
        "".join(
            f"{q} 0 d{d} {draw.randint(0, 3)}\n" for q in range(queries) for d in draw.sample(range(10 * depth), 50)
        )
    )
    return runs[0], runs[1], qrels


def median_seconds(command: list[str], starts: int) -> float:
    """The median wall time of a command that must succeed; one start more warms the file cache."""
    seconds = []
    for _ in range(starts + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def main() -> None:
    """Print one line a command: seconds, and how many times as long as `python -c pass`."""
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    with tempfile.TemporaryDirectory() as folder:
        first, second, qrels = map(str, small_files(Path(folder)))
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "python -c 'import numpy'": [sys.executable, "-c", "import numpy"],
            "rerank --help": [*RERANK, "--help"],
            "rerank --version": [*RERANK, "--version"],
            "rerank eval (5,000 lines)": [*RERANK, "eval", first, "-Q", qrels],
            "rerank fuse (2 x 5,000 lines)": [*RERANK, "fuse", first, second],
        }
        bare = 0.0
        for name, command in commands.items():
            seconds = median_seconds(command, starts)
            bare = bare or seconds
            print(f"{name:32} {seconds:7.3f} s  {seconds / bare:5.1f} x")


if __name__ == "__main__":
    main()
