"""How a stage of the pipe ends when something is wrong: its input, its reader, its disk, or a signal."""

import os
import pty
import signal
import subprocess
import sys

import pytest
from waiting import PATIENCE, give, until

from rerank_cli.core.build_once import bytes_in

#: The program with a model whose first batch is a call that looks at no signal and has no end.
ENDLESS = """
import sqlite3
from pathlib import Path

import onnxruntime

from rerank_cli.cli.main import main

def run(*_, **__):
    Path("begun").touch()
    count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    sqlite3.connect(":memory:").execute(count).fetchone()

onnxruntime.InferenceSession.run = run
main()
"""


def test_a_reader_that_leaves_ends_the_pipe_quietly(shell):
    done = shell(
        "set +o pipefail; rerank retrieve -q -c demo | rerank rerank -q -c demo | head -3; echo ${PIPESTATUS[@]}"
    )
    assert len(done.lines) == 4
    assert "error" not in done.err
    assert "Traceback" not in done.err
    retrieved, reranked, _ = done.lines[3].split()
    assert retrieved in ("0", "141")
    assert reranked == "141"


def test_a_file_that_is_bad_at_its_end_is_refused_before_anything_is_written(rerank, tmp_path):
    (tmp_path / "bad.run").write_text("q01 Q0 sigpipe 1 2.0 t\nq02 Q0 sigpipe 1 nan t\n")
    done = rerank("rerank", "bad.run", "-c", "demo")
    assert done.code == 3
    assert done.out == b""
    assert "bad.run:2: " in done.err


def test_a_stream_that_turns_bad_keeps_what_was_done(shell):
    done = shell(
        "(rerank retrieve -q -c demo -k 100 | grep -E '^q0[1-9]'; echo 'q99 broken') | rerank rerank -q -c demo -k 100 -o kept.run"
    )
    assert done.code == 3
    assert "stdin:" in done.err


def test_a_truncated_gzip_is_a_clear_error(shell):
    done = shell("rerank retrieve -q -c demo -k 50 | gzip | head -c 2000 > cut.gz; rerank rerank cut.gz -c demo")
    assert done.code == 3
    assert "cut.gz" in done.err
    assert "Traceback" not in done.err


def test_a_full_disk_is_exit_1_and_leaves_nothing(shell, tmp_path):
    done = shell(
        "rerank retrieve -q -c demo > candidates; ulimit -f 8; rerank rerank candidates -q -c demo -k 1 -o out.run"
    )
    assert done.code == 1
    assert "out.run" in done.err
    assert not [p for p in tmp_path.iterdir() if "out.run" in p.name]
    through = shell("rerank rerank candidates -q -c demo -k 1 > /dev/full")
    assert through.code == 1
    assert "no space" in through.err.lower()
    assert "Traceback" not in through.err


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_the_middle_ends_cleanly(environment, tmp_path, shell, sent, code):
    assert shell("rerank retrieve -q -c demo > candidates").code == 0
    lines = (tmp_path / "candidates").read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "rerank_cli", "rerank", "-c", "demo", "-o", "out.run"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=tmp_path,
        # A background job of a script inherits an ignored SIGINT; a terminal's program does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    give(process, lines)
    # The pipe stays open: the program waits for more, with results already on their way to out.run.
    until(lambda: any(bytes_in(part) for part in tmp_path.glob(".out.run.*")), process)
    process.send_signal(sent)
    err = process.communicate(timeout=PATIENCE)[1].decode()
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert not [p for p in tmp_path.iterdir() if "out.run" in p.name]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_does_not_wait_for_the_model(environment, tmp_path, shell, sent):
    """It would wait for ever: the batch of this model never ends."""
    exported = shell("rerank retrieve -q -c demo -k 9 > candidates; rerank rerank candidates -m minilm -q -c demo -o x")
    assert exported.code == 0, exported.err
    command = "rerank candidates -m minilm -c demo --no-cache --threads 1 -o out.run"
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", ENDLESS, *command.split()],
        stderr=subprocess.PIPE,
        env=environment,
        cwd=tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        until((tmp_path / "begun").exists, process)
        process.send_signal(sent)
        err = process.communicate(timeout=PATIENCE)[1].decode()
    finally:
        process.kill()
    assert process.returncode == 128 + sent, err
    assert "Traceback" not in err
    assert not [p for p in tmp_path.iterdir() if "out.run" in p.name]


def test_a_file_on_stdin_is_checked_like_a_named_one(shell):
    done = shell(
        "printf 'q01 Q0 sigpipe 1 2.0 t\\nq02 Q0 sigpipe 1 nan t\\n' > bad.run; rerank rerank -c demo < bad.run"
    )
    assert done.code == 3
    assert done.out == b""
    assert "/dev/stdin:2: " in done.err


@pytest.mark.parametrize("command", ["rerank", "eval"])
def test_a_terminal_on_stdin_with_no_run_named_is_a_usage_error(environment, tmp_path, command):
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "rerank_cli", command, "-c", "demo"],
            stdin=theirs,
            capture_output=True,
            env=environment,
            cwd=tmp_path,
            timeout=PATIENCE,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2, done.stderr
    assert b"no run on stdin" in done.stderr
    assert b"rerank: hint: " in done.stderr
