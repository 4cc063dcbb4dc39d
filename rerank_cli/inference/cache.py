"""Answers that were paid for once: a store on disk from the hash of a question to what a model answered.

A model's answer is a pure function of what it was asked, so it can be kept under a hash of the question and never
goes stale. One SQLite file in WAL mode holds them: what `put` has returned from survives `kill -9`, readers never
wait for writers, and processes of one machine share it. Each value carries its own checksum, so damage that SQLite
does not see is still not taken for an answer. A store that cannot be used costs time and never a result: that is
said once, and the work goes on without it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rerank_cli.core.build_once import build_once, bytes_in
from rerank_cli.core.network_disk import on_network_disk
from rerank_cli.errors import WorkFailed

_FILE = "kept.sqlite"
_DAMAGED = ".damaged"
#: What SQLite says of a file that is no database, has lost pages, or lacks our tables.
_DAMAGES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
#: Seconds to wait for another process's write; one takes milliseconds.
_PATIENCE = 30.0
#: Keys in one question to SQLite, rows removed in one transaction, pages given back at once.
_KEYS, _ROWS, _PAGES = 500, 5_000, 2_000
_HOUR = 3600
#: A row number that no row reaches.
_NEVER = 2**62

_SCHEMA = """
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = {journal};
CREATE TABLE kept (key BLOB PRIMARY KEY, value BLOB NOT NULL);
-- Rows are numbered in the order they came: the first of each hour tells how old the others are.
CREATE TABLE hours (hour INTEGER PRIMARY KEY, first INTEGER NOT NULL);
"""


class Kept(NamedTuple):
    """What a store holds: `entries`, and `size` in bytes of all its files."""

    entries: int
    size: int


class AnswerCache:
    """Values of any bytes under keys of 16 to 32 bytes, in `folder`, the oldest forgotten beyond `limit_bytes`.

    Threads and processes may share a folder. Nothing is raised: a folder that cannot be written, a full disk
    and a damaged file are told to `note`, once, and from then on less is kept or found.
    """

    def __init__(self, folder: Path, limit_bytes: int, note: Callable[[str], None]) -> None:
        self._folder, self._limit, self._note = folder, limit_bytes, note
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._place = folder
        self._inode: int | None = None
        self._full = False
        with self._lock, self._spared("cannot be used"):
            self._open()
            if self._used() > 1.1 * limit_bytes:
                self._forget(limit_bytes)

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The value under each key, None where there is none; about 4 microseconds a key."""
        found: dict[bytes, bytes] = {}
        with self._lock, self._spared("cannot be read"):
            for start in range(0, len(keys) if self._database else 0, _KEYS):
                some = keys[start : start + _KEYS]
                marks = ",".join("?" * len(some))
                for key, value in self._ask(f"SELECT key, value FROM kept WHERE key IN ({marks})", *some):
                    if not isinstance(value, bytes) or value[-4:] != _checksum(key, value[:-4]):
                        raise _Damage("a value is not what was written")
                    found[key] = value[:-4]
        return [found.get(key) for key in keys]

    def put(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep values; once it returns they survive the end of this process, however it comes. A key that is there stays as it is.

        One transaction: about 0.3 ms, and 10 microseconds an item. Beyond the limit twice as many of the oldest go.
        """
        rows = [(key, value + _checksum(key, value)) for key, value in items]
        for _ in range(2):  # a second time where the store was found damaged and another one begun
            with self._lock, self._spared("keeps no more answers", writing=True):
                if rows and self._database and not self._full:
                    self._add(rows)
                return

    def kept(self) -> Kept:
        """How much there is; O(1) in the number of entries."""
        entries = 0
        with self._lock, self._spared("cannot be read"):
            if self._database:
                ((entries,),) = self._ask("SELECT coalesce(max(rowid) - min(rowid) + 1, 0) FROM kept")
        return Kept(entries, bytes_in(self._folder))

    def prune(self, limit_bytes: int | None = None, *, older_than: float | None = None) -> None:
        """Forget what was stored more than `older_than` seconds ago (to the hour) and the oldest beyond `limit_bytes`; else all.

        Gives the space back to the disk, in small steps, so that other processes can go on writing.
        """
        with self._lock, self._spared("cannot be pruned"):
            self._empty_damaged()
            if self._database:
                self._forget(limit_bytes, older_than)

    def close(self) -> None:
        """Close the file; the last process to do so leaves it in one piece, without a log beside it."""
        with self._lock, self._spared("cannot be closed"):
            self._close()

    def __enter__(self) -> AnswerCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add(self, rows: list[tuple[bytes, bytes]]) -> None:
        if not self._is_there():
            # Another process found it damaged, or removed it: what is written there is lost.
            self._close()
            self._open()
        assert self._database is not None
        with self._transaction():
            hour = int(time.time() // _HOUR)
            self._ask("INSERT OR IGNORE INTO hours SELECT ?, coalesce(max(rowid), 0) + 1 FROM kept", hour)
            self._database.executemany("INSERT OR IGNORE INTO kept (key, value) VALUES (?, ?)", rows)
            if self._used() > self._limit:
                self._drop_oldest(2 * len(rows))

    def _open(self) -> None:
        """Open the newest store of the folder, making it where there is none.

        The path of a store that was found damaged is never used again: processes that still have it open
        would remove a newer one's log when they close.
        """
        while self._database is None:
            self._place = self._newest()
            path = build_once(self._place, _create) / _FILE
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=_PATIENCE,
                isolation_level=None,
                check_same_thread=False,
            )
            self._inode = _inode(path)
            if self._inode is None or self._newest() != self._place:
                self._close()  # another process found it damaged since we looked
        self._database.text_factory = bytes
        # The log reaches the disk when it is folded into the file: a power cut loses the last answers and harms none.
        self._ask("PRAGMA synchronous = NORMAL")
        self._ask("PRAGMA cache_size = -32000")
        self._ask("SELECT first FROM hours LIMIT 1")

    def _newest(self) -> Path:
        damaged = [int(path.stem) for path in self._folder.glob(f"*{_DAMAGED}") if path.stem.isdigit()]
        return self._folder / str(max(damaged, default=0) + 1)

    def _is_there(self) -> bool:
        """Whether our path still leads to the file that is open here."""
        return self._inode is not None and _inode(self._place / _FILE) == self._inode

    def _close(self) -> None:
        if self._database:
            self._database.close()
        self._database = None

    @contextmanager
    def _spared(self, trouble: str, *, writing: bool = False) -> Iterator[None]:
        """Turn what goes wrong into a note: damage begins a new store, anything else ends the use that failed."""
        try:
            try:
                yield
            except sqlite3.DatabaseError as error:
                damage = getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGES
                if not damage and self._is_there():
                    raise
                self._move_aside(error)
                self._open()
        except (OSError, WorkFailed, sqlite3.Error) as error:
            self._full = True
            if not writing:
                self._database = None
            self._note(f"{self._folder} {trouble}: {error}; going on without it")

    def _move_aside(self, error: sqlite3.DatabaseError) -> None:
        self._close()
        self._empty_damaged()
        aside = self._place.with_name(self._place.name + _DAMAGED)
        if self._is_there():  # else another process was first
            self._place.rename(aside)
            self._note(f"{self._place / _FILE} is damaged ({error}): moved to {aside.name}/ and begun anew")

    def _empty_damaged(self) -> None:
        """Remove damaged files but not their folders, whose numbers are used up."""
        for path in self._folder.glob(f"*{_DAMAGED}/*"):
            path.unlink(missing_ok=True)

    def _ask(self, statement: str, *values: Any) -> list[Any]:
        assert self._database is not None
        return self._database.execute(statement, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._ask("BEGIN IMMEDIATE")
        try:
            yield
            self._ask("COMMIT")
        except BaseException:
            if self._database and self._database.in_transaction:
                self._ask("ROLLBACK")
            raise

    def _used(self) -> int:
        """Bytes of the file that hold something."""
        pages, free, size = (
            self._ask(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _drop_oldest(self, rows: int, before: int = _NEVER) -> int:
        """Remove at most `rows` of the oldest that are numbered below `before`; returns how many went."""
        gone = self._ask("SELECT rowid FROM kept WHERE rowid < ? ORDER BY rowid LIMIT ?", before, rows)
        if gone:
            self._ask("DELETE FROM kept WHERE rowid <= ?", gone[-1][0])
            self._ask("DELETE FROM hours WHERE NOT EXISTS (SELECT 1 FROM kept)")
        return len(gone)

    def _forget(self, limit_bytes: int | None, older_than: float | None = None) -> None:
        if older_than is not None:
            young = int((time.time() - older_than) // _HOUR)
            ((first,),) = self._ask("SELECT min(first) FROM hours WHERE hour >= ?", young)
            self._drop_while(lambda: True, _NEVER if first is None else first)
        if limit_bytes is not None:
            self._drop_while(lambda: self._used() > limit_bytes)
        if limit_bytes is None and older_than is None:
            self._drop_while(lambda: True)
        assert self._database is not None
        for _ in range(0, self._ask("PRAGMA freelist_count")[0][0], _PAGES):
            # As a script: `execute` would stop at the first page.
            self._database.executescript(f"PRAGMA incremental_vacuum({_PAGES})")
        self._ask("PRAGMA wal_checkpoint(TRUNCATE)")

    def _drop_while(self, more: Callable[[], bool], before: int = _NEVER) -> None:
        gone = 1
        while gone and more():
            with self._transaction():
                gone = self._drop_oldest(_ROWS, before)


class _Damage(sqlite3.DatabaseError):
    """A value whose checksum is wrong."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def _create(folder: Path) -> None:
    database = sqlite3.connect(folder / _FILE)
    try:
        database.executescript(_SCHEMA.format(journal="DELETE" if on_network_disk(folder) else "WAL"))
    finally:
        database.close()


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _checksum(key: bytes, value: bytes) -> bytes:
    return zlib.crc32(value, zlib.crc32(key)).to_bytes(4, "little")
