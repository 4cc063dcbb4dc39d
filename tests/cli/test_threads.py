"""--threads bounds numpy's matrix products too: exact dense search, MMR and fusion rules that multiply matrices."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

#: The program up to a collection that is not there; then a product large enough for every thread that BLAS has.
SCRIPT = """
import os, sys
from rerank_cli.cli.main import main
main(sys.argv[1:])
import numpy as np
square = np.ones((1500, 1500), np.float32)
square @ square
print(len(os.listdir("/proc/self/task")))
"""
BOUND = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def threads(environment: dict[str, str], *options: str, **variables: str) -> int:
    kept = {name: value for name, value in environment.items() if name not in BOUND}
    command = [sys.executable, "-c", SCRIPT, "retrieve", "-c", "nowhere", *options]
    done = subprocess.run(command, env=kept | variables, capture_output=True, text=True, check=True)
    assert "there is no collection nowhere" in done.stderr
    return int(done.stdout)


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc, which is Linux")
def test_as_many_threads_as_were_asked_for(environment: dict[str, str]) -> None:
    cores = len(os.sched_getaffinity(0))
    if cores < 2:
        pytest.skip("one core: BLAS has one thread whatever it is told")
    assert threads(environment, "--threads", "1") == 1
    assert threads(environment, "--threads", "2") == 2
    assert threads(environment, "--threads", "1", OPENBLAS_NUM_THREADS="2") == 1
    assert threads(environment, OMP_NUM_THREADS="1") == 1
    assert threads(environment, OPENBLAS_NUM_THREADS="1") == 1
