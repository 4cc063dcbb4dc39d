"""How long commands take to start, and a model to score its first ten pairs: medians over many starts, beside Python's own.

Run it with the Python of the environment, on a machine with nothing else to do:
`python benchmarks/startup.py [STARTS]`. The aim for `rerank --help` is 0.15 s, for ten pairs by an exported
model 0.6 s. Processor seconds are those of the process and move less than the clock when others are at work.
"""

from __future__ import annotations

import random
import resource
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


def median_seconds(command: list[str], starts: int) -> tuple[float, float]:
    """The median wall and processor time of a command that must succeed; one start more warms the file cache."""
    walls, processors = [], []
    for _ in range(starts + 1):
        before, began = processor_seconds(), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        walls.append(time.perf_counter() - began)
        processors.append(processor_seconds() - before)
    return statistics.median(walls[1:]), statistics.median(processors[1:])


def processor_seconds() -> float:
    """What all processes that have ended took of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ten_pairs(folder: Path) -> tuple[str, str]:
    """The small bi-encoder's exported folder, and a run of ten documents of one demo query."""
    subprocess.run([*RERANK, "export-onnx", "minilm", "-o", str(folder / "minilm")], check=True, cwd=ROOT)
    run = subprocess.run([*RERANK, "retrieve", "-c", "demo", "-k", "10"], check=True, capture_output=True, cwd=ROOT)
    ten = folder / "ten.trec"
    ten.write_bytes(b"".join(run.stdout.splitlines(keepends=True)[:10]))
    return str(folder / "minilm"), str(ten)


def main() -> None:
    """Print one line a command: seconds by the clock and of the processor, and how many times as long as `python -c pass`."""
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    with tempfile.TemporaryDirectory() as folder:
        first, second, qrels = map(str, small_files(Path(folder)))
        model, ten = ten_pairs(Path(folder))
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "python -c 'import numpy'": [sys.executable, "-c", "import numpy"],
            "rerank --help": [*RERANK, "--help"],
            "rerank --version": [*RERANK, "--version"],
            "rerank eval (5,000 lines)": [*RERANK, "eval", first, "-Q", qrels],
            "rerank fuse (2 x 5,000 lines)": [*RERANK, "fuse", first, second],
            "rerank rerank (10 pairs)": [*RERANK, "rerank", ten, "-m", model, "-c", "demo", "--no-cache"],
        }
        bare = 0.0
        for name, command in commands.items():
            seconds, of_processor = median_seconds(command, starts)
            bare = bare or seconds
            print(f"{name:32} {seconds:7.3f} s  {of_processor:7.3f} s of the processor  {seconds / bare:5.1f} x")


if __name__ == "__main__":
    main()
