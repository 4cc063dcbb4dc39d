"""Output is there when it is whole, and only then."""

from __future__ import annotations

import gzip
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import zstandard
from waiting import PATIENCE

from rerank_cli.errors import Missing, WorkFailed, WrongUsage
from rerank_cli.formats.output import open_output


def test_the_file_appears_whole_and_alone(tmp_path: Path) -> None:
    out = tmp_path / "out.run"
    with open_output(str(out)) as stream:
        stream.write(b"half")
        stream.flush()
        assert not out.exists()
        assert len(list(tmp_path.iterdir())) == 1
    assert out.read_bytes() == b"half"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("name", ["out.run.bz2", "out.run.xz"])
def test_nothing_is_called_compressed_that_is_not(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongUsage, match=r"gz or \.zst"), open_output(str(tmp_path / name)):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["out.run", "out.run.gz", "out.run.zst"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_whatever_goes_wrong_the_old_file_stays(tmp_path: Path, name: str, error: type[BaseException]) -> None:
    out = tmp_path / name
    out.write_bytes(b"old")
    with pytest.raises(error), open_output(str(out)) as stream:
        stream.write(b"new" * 100_000)
        raise error
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing(tmp_path: Path, signal_number: signal.Signals) -> None:
    script = (
        "import signal, sys, time\n"
        "from rerank_cli.cli import main\n"
        "from rerank_cli.formats.output import open_output\n"
        "def work(arguments):\n"
        "    with open_output(arguments[0]) as stream:\n"
        "        stream.write(b'x' * 200000); stream.flush(); print('ready', flush=True)\n"
        # A signal that comes just before a sleep is heard when it is over, so that sleeps are short.
        "        while True: time.sleep(0.05)\n"
        "main._run = work\n"
        # Who runs the tests in the background ignores SIGINT, and children would too.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.exit(main.main(sys.argv[1:]))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "out.run")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert len(list(tmp_path.iterdir())) == 1
    process.send_signal(signal_number)
    assert process.wait(PATIENCE) == 128 + signal_number
    process.stdout.close()
    assert list(tmp_path.iterdir()) == []


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "real.run", tmp_path / "link.run"
    link.symlink_to(target)
    for content in (b"made through a dangling link", b"replaced"):
        with open_output(str(link)) as stream:
            stream.write(content)
        assert link.is_symlink()
        assert target.read_bytes() == content
    assert list(target.parent.iterdir()) == [target]


def test_mode_is_the_umasks_or_the_old_files(tmp_path: Path) -> None:
    out = tmp_path / "out.run"
    before = os.umask(0o027)
    try:
        with open_output(str(out)) as stream:
            stream.write(b"x")
        assert stat.S_IMODE(out.stat().st_mode) == 0o640
        out.chmod(0o604)
        with open_output(str(out)) as stream:
            stream.write(b"y")
    finally:
        os.umask(before)
    assert stat.S_IMODE(out.stat().st_mode) == 0o604


@pytest.mark.parametrize("flushes", [False, True])
def test_names_that_end_in_gz_or_zst_are_compressed(tmp_path: Path, flushes: bool) -> None:
    lines = b"".join(b"%d\n" % n for n in range(10_000))
    for name in ("out.gz", "out.zst"):
        with open_output(str(tmp_path / name)) as stream:
            stream.write(lines[:5000])
            if flushes:
                stream.flush()
            stream.write(lines[5000:])
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()) == lines
    assert zstandard.ZstdDecompressor().decompressobj().decompress((tmp_path / "out.zst").read_bytes()) == lines
    assert subprocess.run(["gzip", "-t", str(tmp_path / "out.gz")]).returncode == 0


def test_the_same_output_gives_the_same_gzip(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        with open_output(str(tmp_path / name)) as stream:
            stream.write(b"same")
        time.sleep(1.1 if name == "a.gz" else 0)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_a_fifo_is_written_through(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    with open_output(str(fifo)) as stream:
        stream.write(b"through")
    reader.join()
    assert got == [b"through"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    with open_output("/dev/null") as stream:
        stream.write(b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_failed_command_writes_nothing_more_into_a_pipe() -> None:
    """What is still in the buffer may be half a line; and a pipe that nobody reads would block the way out."""
    reading, writing = os.pipe()
    with pytest.raises(KeyboardInterrupt), open_output(f"/dev/fd/{writing}") as stream:
        stream.write(b"1 Q0 d 1 2.5 t\n")
        stream.flush()
        stream.write(b"2 Q0 d 1 2")
        raise KeyboardInterrupt
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"1 Q0 d 1 2.5 t\n"


def test_dev_stdout_appends_where_stdout_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"before\n")
    script = (
        "from rerank_cli.formats.output import open_output\nwith open_output('/dev/stdout') as s: s.write(b'after\\n')"
    )
    with log.open("ab") as stdout:
        subprocess.run([sys.executable, "-c", script], stdout=stdout, check=True)
    assert log.read_bytes() == b"before\nafter\n"


def test_a_closed_pipe_stays_a_broken_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with pytest.raises(BrokenPipeError), open_output(f"/dev/fd/{writing}") as stream:
            stream.write(b"x")
    finally:
        os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_device_is_named() -> None:
    with pytest.raises(WorkFailed, match="/dev/full: no space left"), open_output("/dev/full") as stream:
        stream.write(b"x")


@pytest.mark.parametrize("name", ["out.run", "out.run.gz", "out.run.zst"])
def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path: Path, name: str) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here (not root)")
    try:
        out = tmp_path / name
        out.write_bytes(b"old")
        with pytest.raises(WorkFailed, match=f"{name}: no space left"), open_output(str(out)) as stream:
            stream.write(os.urandom(200_000))
            stream.flush()
        assert out.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [out]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_no_folder_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="its folder does not exist"), open_output(str(tmp_path / "no" / "out.run")):
        pass
    with pytest.raises(WrongUsage, match="is a folder"), open_output(str(tmp_path)):
        pass


def test_a_failed_block_keeps_its_own_error(tmp_path: Path) -> None:
    """An unrelated missing file inside the block is not blamed on the output."""
    with pytest.raises(FileNotFoundError, match="elsewhere"), open_output(str(tmp_path / "out.run")):
        (tmp_path / "elsewhere").read_bytes()
