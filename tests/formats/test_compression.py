"""Compressed input: told by its first bytes, streamed, and honest about damage."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import resource
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import assume, given
from hypothesis import strategies as st

from rerank_cli.errors import BadData, Missing, WorkFailed, WrongUsage
from rerank_cli.formats.compression import decompressed, open_input

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
}
KINDS = sorted(set(COMPRESSORS) - {"plain"})


@pytest.mark.parametrize("kind", COMPRESSORS)
@given(data=st.binary(max_size=400))
def test_any_content_comes_back(kind: str, data: bytes) -> None:
    packed = COMPRESSORS[kind](data)
    assume(kind != "plain" or not data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")))
    assert decompressed(io.BytesIO(packed), "x").read() == data


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_kind_is_told_by_content_not_by_name(kind: str, tmp_path: Path) -> None:
    lines = [f"{random.random()}\n".encode() for _ in range(50_000)]
    misleading = tmp_path / "run.txt.bz2"
    misleading.write_bytes(COMPRESSORS[kind](b"".join(lines)))
    with open_input(str(misleading)) as stream:
        assert list(stream) == lines


@pytest.mark.parametrize("kind", KINDS)
def test_members_that_were_joined_with_cat_are_all_read(kind: str) -> None:
    packed = COMPRESSORS[kind](b"one\n") + COMPRESSORS[kind](b"") + COMPRESSORS[kind](b"two\n")
    assert list(decompressed(io.BytesIO(packed), "x")) == [b"one\n", b"two\n"]


@pytest.mark.parametrize("kind", ["gz", "xz"])
def test_zero_padding_behind_a_member_is_passed_over(kind: str) -> None:
    assert decompressed(io.BytesIO(COMPRESSORS[kind](b"one\n") + bytes(512)), "x").read() == b"one\n"


@pytest.mark.parametrize("kind", KINDS)
def test_every_cut_is_found(kind: str) -> None:
    """Cut anywhere behind the bytes that tell the kind, the stream must end in an error, never in a short result."""
    packed = COMPRESSORS[kind](b"".join(b"%d\n" % random.randrange(10**6) for _ in range(200)))
    for length in range(10, len(packed)):
        with pytest.raises(BadData, match=r"^run\.gz: .*too early"):
            decompressed(io.BytesIO(packed[:length]), "run.gz").read()


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_bad_data(kind: str) -> None:
    packed = bytearray(COMPRESSORS[kind](b"".join(b"%d\n" % random.randrange(10**6) for _ in range(20_000))))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = bytes(range(40))
    if kind == "zst":
        packed[4] ^= 0x08  # a reserved bit: zstd frames carry no checksum unless asked for one
    with pytest.raises(BadData, match="stdin: the compressed data"):
        decompressed(io.BytesIO(bytes(packed)), "stdin").read()


def test_garbage_behind_a_gzip_member_is_bad_data() -> None:
    with pytest.raises(BadData, match="corrupt"):
        decompressed(io.BytesIO(gzip.compress(b"1 Q0 d 1 2 t\n") + b"3 Q0 d 1 2 t\n"), "x").read()


@pytest.mark.parametrize("text", [b"BZh9 Q0 d1 1 2.5 t\n", b"B", b"(", b"\xfd", b""])
def test_a_plain_file_that_begins_like_a_compressed_one(text: bytes) -> None:
    assert decompressed(io.BytesIO(text), "x").read() == text


def test_missing_folder_and_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"nothing\.run: no such file"):
        open_input(str(tmp_path / "nothing.run"))
    with pytest.raises(WrongUsage, match="is a folder"):
        open_input(str(tmp_path))
    with pytest.raises(Missing, match="cannot be read"):
        open_input(str(tmp_path / ("x" * 300)))


def test_a_fifo_is_as_good_as_a_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(gzip.compress(b"one\ntwo\n")))
    writer.start()
    with open_input(str(fifo)) as stream:
        assert list(stream) == [b"one\n", b"two\n"]
    writer.join()


def test_process_substitution(tmp_path: Path) -> None:
    script = "import sys; from rerank_cli.formats.compression import open_input; print(open_input(sys.argv[1]).read())"
    done = subprocess.run(
        ["bash", "-c", 'exec "$0" -c "$1" <(printf "a b\\n" | gzip)', sys.executable, script],
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"b'a b\\n'\n"


@pytest.mark.parametrize("kind", ["plain", "gz", "zst"])
def test_a_flushed_line_comes_through_at_once(kind: str) -> None:
    """The writer keeps the pipe open: a reader that waits for a full buffer would hang here."""
    pack: Callable[[bytes], bytes]
    if kind == "gz":
        gz = zlib.compressobj(wbits=31)
        pack = lambda data: gz.compress(data) + gz.flush(zlib.Z_SYNC_FLUSH)  # noqa: E731
    elif kind == "zst":
        zst = zstandard.ZstdCompressor().compressobj()
        pack = lambda data: zst.compress(data) + zst.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)  # noqa: E731
    else:
        pack = bytes
    reading, writing = os.pipe()
    try:
        with os.fdopen(reading, "rb") as pipe:
            stream = decompressed(pipe, "stdin")
            for line in (b"1 Q0 d1 1 2.0 t\n", b"1 Q0 d2 2 1.0 t\n"):
                os.write(writing, pack(line))
                assert stream.readline() == line
    finally:
        os.close(writing)


def test_one_byte_is_enough_to_begin_when_it_rules_compression_out() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb", buffering=0) as end:
        end.write(b"1")
        assert decompressed(pipe, "stdin").read1(10) == b"1"


def test_stdin_stays_open() -> None:
    source = io.BytesIO(b"x")
    with decompressed(source, "stdin") as stream:
        stream.read()
    assert not source.closed


def test_a_file_too_many_is_no_file_that_is_absent(tmp_path: Path) -> None:
    (tmp_path / "a.run").write_bytes(b"x")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(WorkFailed, match=r"a\.run: Too many open files"):
            open_input(str(tmp_path / "a.run"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
