"""A search by several processes that is stopped as `timeout` and service managers do: a signal to the whole group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from waiting import PATIENCE, until

from rerank_cli.core.build_once import bytes_in


def test_workers_that_die_in_the_middle_of_an_answer_hold_up_nothing(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "topics.tsv").write_text(
        "".join(f"q{i}\tranking of documents by a model {i}\n" for i in range(100_000))
    )
    command = "retrieve -c demo --topics topics.tsv -k 100 --threads 2 -o out.run"
    program = subprocess.Popen(
        [sys.executable, "-P", "-m", "rerank_cli", *command.split()],
        cwd=tmp_path,
        env={**environment, "RERANK_CACHE_DIR": str(tmp_path / "cache")},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        until(lambda: any(bytes_in(part) for part in tmp_path.glob(".out.run.*")), program)
        os.kill(
            program.pid, signal.SIGSTOP
        )  # Nobody reads: the workers' answers fill the pipe, and the next stands half in it.
        time.sleep(2)
        os.killpg(program.pid, signal.SIGTERM)
        time.sleep(0.5)
        os.kill(program.pid, signal.SIGCONT)
        err = program.communicate(timeout=PATIENCE)[1].decode()
        assert program.returncode == 143, err
    finally:
        program.kill()
        program.wait()
    assert [path.name for path in tmp_path.iterdir() if "out.run" in path.name] == []
