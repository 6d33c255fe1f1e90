"""The rows of the collections: at a phone the originals, at a companion its copy.

A removed row stays at the phone as a marker, a row without a body. A companion deletes it.
"""

from typing import List, Optional, Union

from .machine import Row, row_digest
from .store import Store

_Name = Union[bytes, str]
_FIELDS = "SELECT id, revision, body FROM handfast_row WHERE collection = ?"


def name_of(name: _Name) -> bytes:
    """Returns the name of a collection as bytes. A text stands for its bytes in UTF-8."""
    return name.encode() if isinstance(name, str) else name


class Rows:
    """The rows of a device. `db` is the connection, for tables of the application in the same transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.db = store.db

    def row(self, collection: _Name, row_id: bytes) -> Optional[Row]:
        """Returns a row."""
        select = _FIELDS + " AND id = ? AND body <> x''"
        found = self.db.execute(select, (name_of(collection), row_id)).fetchone()
        return Row(id=found[0], revision=found[1], body=found[2]) if found else None

    def rows(self, collection: _Name, after: bytes = b"", limit: int = -1) -> List[Row]:
        """Returns rows in the order of their ids, from the first one after `after` on."""
        select = _FIELDS + " AND id > ? AND body <> x'' ORDER BY id LIMIT ?"
        return self._read(select, (name_of(collection), after, limit))

    def later_rows(self, collection: bytes, revision: int, limit: int) -> List[Row]:
        """Returns rows of later revisions in the order of their revisions, with markers."""
        select = _FIELDS + " AND revision > ? ORDER BY revision LIMIT ?"
        return self._read(select, (collection, revision, limit))

    def _read(self, select: str, values: tuple) -> List[Row]:
        found = self.db.execute(select, values)
        return [Row(id=row_id, revision=revision, body=body) for row_id, revision, body in found]

    def newest(self) -> int:
        """Returns the newest revision of all collections."""
        return self._store.number("newest")

    def digest(self, collection: bytes) -> bytes:
        """Returns the digest of a collection."""
        select = "SELECT id, revision, x'' FROM handfast_row WHERE collection = ? AND body <> x''"
        return row_digest(self._read(select, (collection,)))


class RowWriter(Rows):
    """The open transaction of a phone, in which rows can be written."""

    def put(self, collection: _Name, row_id: bytes, body: bytes) -> int:
        """Writes a row, in place of the one that has its id. It reaches every companion. Returns its revision."""
        if not body:
            raise ValueError("a row without a body is a removed one: call `remove`")
        return self._write(collection, row_id, body)

    def remove(self, collection: _Name, row_id: bytes) -> None:
        """Removes a row, here and at every companion."""
        if self.row(collection, row_id) is not None:
            self._write(collection, row_id, b"")

    def _write(self, collection: _Name, row_id: bytes, body: bytes) -> int:
        if not 1 <= len(name_of(collection)) <= 32 or not row_id or len(row_id) + len(body) > 14_900:
            raise ValueError("a collection's name has 1 to 32 bytes, and a row at most 14,900 with its id")
        # The id is checked here, since a row that cannot be sent would hold up all that follow.
        row_digest([Row(id=row_id, revision=0, body=b"")])
        revision = self._store.next_number("newest")
        put = "INSERT OR REPLACE INTO handfast_row VALUES (?, ?, ?, ?, 0)"
        self.db.execute(put, (name_of(collection), row_id, revision, body))
        return revision


class RowCopy(Rows):
    """The copy of a companion."""

    def take(self, collection: bytes, row: Row) -> Optional[bool]:
        """Takes a row that came. Returns whether it is there now; `None` if nothing has changed."""
        key = (collection, row.id)
        stored = self.db.execute(
            "SELECT revision, snapshot FROM handfast_row WHERE collection = ? AND id = ?", key
        ).fetchone()
        snapshot = self._snapshot(collection)
        if stored and stored[0] > row.revision and stored[1] == snapshot:
            return None
        if row.body:
            put = "INSERT OR REPLACE INTO handfast_row VALUES (?, ?, ?, ?, ?)"
            self.db.execute(put, (collection, row.id, row.revision, row.body, snapshot))
            return True
        self.db.execute("DELETE FROM handfast_row WHERE collection = ? AND id = ?", key)
        return False if stored else None

    def _snapshot(self, collection: bytes) -> int:
        return self._store.number("snapshots " + collection.hex())

    def begin_snapshot(self, collection: bytes) -> None:
        """Notes that all rows come again."""
        self._store.next_number("snapshots " + collection.hex())

    def end_snapshot(self, collection: bytes) -> List[bytes]:
        """Deletes the rows that did not come again, and returns their ids."""
        old = "FROM handfast_row WHERE collection = ? AND snapshot <> ?"
        values = (collection, self._snapshot(collection))
        gone = [row_id for (row_id,) in self.db.execute("SELECT id " + old, values)]
        self.db.execute("DELETE " + old, values)
        return gone
