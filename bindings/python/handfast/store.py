"""The store of one device: an SQLite file, in which each transaction has all that one input caused."""

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Dict, Iterator, List, Optional

from .machine import Commit, LinkRow, Write, random_bytes

_TABLES = """
CREATE TABLE IF NOT EXISTS handfast_link (
    link BLOB, key BLOB, value BLOB NOT NULL, PRIMARY KEY (link, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS handfast_since (link BLOB PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS handfast_used_key (key BLOB PRIMARY KEY);
CREATE TABLE IF NOT EXISTS handfast_value (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS handfast_row (
    collection BLOB, id BLOB, revision INTEGER NOT NULL, body BLOB NOT NULL, snapshot INTEGER NOT NULL,
    PRIMARY KEY (collection, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS handfast_row_by_revision ON handfast_row (collection, revision);
CREATE TABLE IF NOT EXISTS handfast_content (content BLOB PRIMARY KEY, list BLOB NOT NULL, is_whole INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS handfast_wanted (content BLOB, path TEXT, PRIMARY KEY (content, path));
CREATE TABLE IF NOT EXISTS handfast_offered (content BLOB PRIMARY KEY);
"""


class StoreConflict(Exception):
    """Another program has written to the store, or an older copy took its place. Nothing was written."""


class StoreFailed(Exception):
    """The database of a directory cannot be read or written: the text says which, and why."""


class StoreInUse(Exception):
    """Another process uses the directory."""


class Store:
    """What a device keeps. Everything is written between `begin` and `commit`, or in `transaction`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = directory / "handfast.db"
        # The keys of the links are in it: nobody else may read it.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        self.db = sqlite3.connect(path, isolation_level=None, timeout=0)
        # A second program that opens the file is refused, and a commit is on the disk when it returns.
        try:
            self.db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self.db.execute("PRAGMA synchronous = FULL")
            self.db.execute("BEGIN EXCLUSIVE")
            for statement in _TABLES.split(";"):
                self.db.execute(statement)
            self.db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            self.db.close()
            if "locked" in str(error):
                raise StoreInUse(f"{directory} is in use by another process: {error}") from error
            raise StoreFailed(f"{path} cannot be used: {error}") from error

    def begin(self) -> None:
        """Begins a transaction, unless one is open."""
        if not self.db.in_transaction:
            self.db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Makes everything durable that was written, if a transaction is open."""
        if self.db.in_transaction:
            self.db.execute("COMMIT")

    def roll_back(self) -> None:
        """Forgets what was written since `begin`."""
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")

    def close(self) -> None:
        """Closes the file. What was not committed is forgotten."""
        self.db.close()

    def apply(self, commit: Commit) -> None:
        """Applies a commit of a machine in the open transaction."""
        self.begin()
        rows = "SELECT value FROM handfast_link WHERE link = ? AND key = ?"
        found = self.db.execute(rows, (commit.link, commit.version_key)).fetchone()
        if (found[0] if found else None) != commit.expects:
            raise StoreConflict("another program uses the store, or it is an older copy")
        for write in commit.writes:
            self._write(commit.link, write)

    def _write(self, link: bytes, write: Write) -> None:
        if isinstance(write, Write.PUT):
            put = "INSERT OR REPLACE INTO handfast_link VALUES (?, ?, ?)"
            self.db.execute(put, (link, write.key, write.value))
        elif isinstance(write, Write.DELETE):
            self.db.execute("DELETE FROM handfast_link WHERE link = ? AND key = ?", (link, write.key))
        elif isinstance(write, Write.DELETE_RANGE):
            delete = "DELETE FROM handfast_link WHERE link = ? AND key >= ? AND key < ?"
            self.db.execute(delete, (link, write.first, write.end))

    def links(self) -> Dict[bytes, List[LinkRow]]:
        """Returns the rows of each link. Of a link that is gone only its version is left, and it is left out."""
        links: Dict[bytes, List[LinkRow]] = {}
        for link, key, value in self.db.execute("SELECT link, key, value FROM handfast_link"):
            links.setdefault(link, []).append(LinkRow(key=key, value=value))
        return {link: rows for link, rows in links.items() if len(rows) > 1}

    def age_ms(self, link: bytes) -> int:
        """Returns how long ago, by the clock of the wall, this was called first for a link."""
        self.begin()
        now = time.time()
        self.db.execute("INSERT OR IGNORE INTO handfast_since VALUES (?, ?)", (link, now))
        since = self.db.execute("SELECT at FROM handfast_since WHERE link = ?", (link,)).fetchone()[0]
        # The clock of the wall may have been set back.
        return max(0, int((now - since) * 1000))

    def note_used_keys(self, keys: List[bytes]) -> None:
        """Notes keys of a peer for good, because no later link may use them."""
        self.begin()
        self.db.executemany("INSERT OR IGNORE INTO handfast_used_key VALUES (?)", ((key,) for key in keys))

    def used_keys(self) -> List[bytes]:
        """Returns the keys of all peers, also of links that are gone."""
        return [key for (key,) in self.db.execute("SELECT key FROM handfast_used_key")]

    def value(self, name: str) -> Optional[bytes]:
        """Returns a value by its name."""
        found = self.db.execute("SELECT value FROM handfast_value WHERE name = ?", (name,)).fetchone()
        return found[0] if found else None

    def set_value(self, name: str, value: bytes) -> None:
        """Sets a value by its name."""
        self.begin()
        self.db.execute("INSERT OR REPLACE INTO handfast_value VALUES (?, ?)", (name, value))

    def secret(self, name: str, length: int) -> bytes:
        """Returns a secret by its name. It is drawn and stored the first time."""
        stored = self.value(name)
        if stored is None:
            stored = random_bytes(length)
            self.set_value(name, stored)
        return stored

    def next_number(self, name: str) -> int:
        """Returns a number that this name has not had: 1, 2, 3.."""
        number = int.from_bytes(self.value(name) or b"", "big") + 1
        self.set_value(name, number.to_bytes(8, "big"))
        return number

    def number(self, name: str) -> int:
        """Returns the last number of this name, 0 if it has had none."""
        return int.from_bytes(self.value(name) or b"", "big")

    @contextlib.contextmanager
    def part(self) -> Iterator[None]:
        """A part of the open transaction, which is undone if it raises."""
        self.begin()
        self.db.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK TO part")
            raise
        finally:
            self.db.execute("RELEASE part")
