"""What the benchmarks of `eval` and `fuse` share: runs and judgements drawn by seed, and processes that are measured.

Times are whole processes, taken in turn so that a busy machine is busy for all; a ratio counts only
within one run of a benchmark. Memory is the largest resident size that the system saw.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
RERANK = [sys.executable, "-P", "-m", "rerank_cli"]
#: Documents of the imaginary collection, as many as MS MARCO's passages.
DOCUMENTS = 8_841_823


@dataclass(frozen=True)
class Measured:
    """One command: median seconds on the clock, median seconds of processors, largest peak in MiB."""

    wall: float
    cpu: float
    peak: float


def write_runs(folder: Path, queries: int, depth: int, runs: int) -> list[Path]:
    """Draw runs of `queries * depth` lines that share two documents in three with the next."""
    draw = np.random.default_rng(0)
    paths = [folder / f"{chr(ord('a') + number)}.run" for number in range(runs)]
    files = [path.open("w") for path in paths]
    for qid in np.sort(draw.choice(max(1_100_000, queries), queries, replace=False)).tolist():
        pool = draw.permutation(np.unique(draw.integers(0, DOCUMENTS, 3 * depth)))
        for number, file in enumerate(files):
            docids = np.roll(pool, -number * depth // 3)[:depth].tolist()
            scores = np.sort(draw.gamma(4, 3, depth).round(6))[::-1].tolist()
            rows = zip(docids, scores, strict=True)
            file.write("".join(f"{qid} Q0 {d} {r} {s:.6f} x\n" for r, (d, s) in enumerate(rows, 1)))
    for file in files:
        file.close()
    return paths


def write_qrels(run: Path, path: Path, a_query: int) -> Path:
    """Draw judgements: one relevant document of the run a query, or `a_query` of which one in two was retrieved."""
    draw = np.random.default_rng(1)

    def judged(qid: str, docids: list[str]) -> str:
        if a_query == 1:
            return f"{qid} 0 {docids[min(int(draw.exponential(len(docids) / 8)), len(docids) - 1)]} 1\n"
        top = docids[: a_query // 2]
        foreign = (DOCUMENTS + draw.choice(10**6, a_query - len(top), replace=False)).tolist()
        return "".join(f"{qid} 0 {d} {draw.integers(0, 4)}\n" for d in [*top, *foreign])

    with run.open() as lines, path.open("w") as out:
        last, docids = "", []
        for line in lines:
            qid, _, docid, _ = line.split(maxsplit=3)
            if qid != last and docids:
                out.write(judged(last, docids))
                docids = []
            last = qid
            docids.append(docid)
        out.write(judged(last, docids))
    return path


def in_turn(commands: dict[str, Sequence[str]], rounds: int) -> dict[str, Measured]:
    """Run every command `rounds` times, one after the other in turn; a command that fails stops the benchmark."""
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(_once(command))
    return {
        name: Measured(
            statistics.median(w for w, _, _ in t), statistics.median(c for _, c, _ in t), max(p for _, _, p in t)
        )
        for name, t in taken.items()
    }


def _once(command: Sequence[str]) -> tuple[float, float, float]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with {process.returncode}: {said.decode(errors='replace')}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def print_table(title: str, measured: dict[str, Measured], reference: str, megabytes: float) -> None:
    """One line a command; ratios are to `reference`, above 1 when it takes longer; memory also in sizes of the file."""
    print(f"\n{title}\n{'':34} {'wall s':>8} {'ratio':>6} {'CPU s':>8} {'ratio':>6} {'peak MiB':>9} {'x file':>7}")
    base = measured[reference]
    for name, one in measured.items():
        ratios = f"{one.wall:8.2f} {one.wall / base.wall:6.2f} {one.cpu:8.2f} {one.cpu / base.cpu:6.2f}"
        print(f"{name:34} {ratios} {one.peak:9.0f} {one.peak * 2**20 / 1e6 / megabytes:7.1f}")
