"""The content of a device: files in `DIR/content`, and their chunk lists in the store.

A file gets its final name, which is the content id, only when the store says that it is whole.
"""

import os
from pathlib import Path
from typing import BinaryIO, Dict, Iterator, List, Optional, Tuple

from .machine import ContentHasher
from .store import Store

_COPY_LEN = 1 << 20


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: source.read(_COPY_LEN), b"")


class Contents:
    """Files by their content ids."""

    def __init__(self, store: Store, directory: Path) -> None:
        self._store, self._db = store, store.db
        self._dir = directory / "content"
        self._dir.mkdir(exist_ok=True, mode=0o700)
        self._parts: Dict[bytes, BinaryIO] = {}
        for (content,) in self._db.execute("SELECT content FROM handfast_content WHERE is_whole"):
            self.publish(content)

    def path(self, content: bytes) -> Path:
        """Returns where content is once it is whole."""
        return self._dir / content.hex()

    def _part(self, content: bytes) -> Path:
        return self._dir / (content.hex() + ".part")

    def add_file(self, path: Path) -> bytes:
        """Copies a file into the directory, in the open transaction, and returns its content id."""
        hasher, copy = ContentHasher(), self._dir / "copy.part"
        with open(path, "rb") as source, open(copy, "wb") as target:
            for block in _blocks(source):
                hasher.update(block)
                target.write(block)
            target.flush()
            os.fsync(target.fileno())
        hashed = hasher.finish()
        os.replace(copy, self.path(hashed.content))
        self._sync_dir()
        self._set_list(hashed.content, hashed.list, True)
        return hashed.content

    def chunk_list(self, content: bytes) -> Tuple[Optional[bytes], bool]:
        """Returns the chunk list of content, if it is here, and whether all of the content is."""
        select = "SELECT list, is_whole FROM handfast_content WHERE content = ?"
        found = self._db.execute(select, (content,)).fetchone()
        return (found[0], bool(found[1])) if found else (None, False)

    def is_whole(self, content: bytes) -> bool:
        """Returns whether all of the content is here."""
        select = "SELECT is_whole FROM handfast_content WHERE content = ?"
        found = self._db.execute(select, (content,)).fetchone()
        return bool(found and found[0])

    def _set_list(self, content: bytes, chunks: bytes, is_whole: bool) -> None:
        self._store.begin()
        put = "INSERT OR REPLACE INTO handfast_content VALUES (?, ?, ?)"
        self._db.execute(put, (content, chunks, is_whole))

    def write(self, content: bytes, at: int, data: bytes) -> None:
        """Writes a part of content that comes."""
        part = self._parts.get(content)
        if part is None:
            # Not `ab`, which would write at the end whatever is asked for.
            part = os.fdopen(os.open(self._part(content), os.O_RDWR | os.O_CREAT, 0o600), "r+b")
            self._parts[content] = part
        part.seek(at)
        part.write(data)

    def sync(self, content: bytes, size: int, chunks: Optional[bytes], is_whole: bool) -> None:
        """Makes durable what was written; the chunk list goes into the open transaction."""
        part = self._parts.get(content)
        if part is None and is_whole:
            # Content without bytes was never written.
            self.write(content, 0, b"")
            part = self._parts[content]
        if part is not None:
            if is_whole:
                # A run that ended before its report was durable may have written more.
                part.truncate(size)
            part.flush()
            os.fsync(part.fileno())
        chunks = chunks if chunks is not None else self.chunk_list(content)[0]
        if chunks is not None:
            self._set_list(content, chunks, is_whole)

    def publish(self, content: bytes) -> None:
        """Moves content that is whole, as the store says, to its final name."""
        self._close(content)
        if self._part(content).exists():
            os.replace(self._part(content), self.path(content))
            self._sync_dir()

    def drop(self, content: bytes) -> None:
        """Removes what came of content that will not come."""
        self._close(content)
        self._store.begin()
        self._db.execute("DELETE FROM handfast_content WHERE content = ? AND NOT is_whole", (content,))
        if self._part(content).exists():
            self._part(content).unlink()

    def can_continue(self, content: bytes) -> bool:
        """Returns whether what came of content is still here."""
        return self._part(content).exists()

    def read(self, content: bytes, at: int, length: int) -> bytes:
        """Reads a part of content."""
        with open(self.path(content), "rb") as file:
            file.seek(at)
            return file.read(length)

    def copy_out(self, content: bytes, path: Path) -> int:
        """Copies whole content to where the user wants it, all of it or nothing. Returns its size."""
        beside = path.with_name(path.name + ".part")
        with open(self.path(content), "rb") as source, open(beside, "wb") as target:
            for block in _blocks(source):
                target.write(block)
            target.flush()
            os.fsync(target.fileno())
            size = target.tell()
        os.replace(beside, path)
        return size

    def want(self, content: bytes, path: Path) -> None:
        """Notes that content is wanted at a path."""
        self._store.begin()
        self._db.execute("INSERT OR IGNORE INTO handfast_wanted VALUES (?, ?)", (content, str(path)))

    def wanted(self) -> List[bytes]:
        """Returns the content that is wanted."""
        return [content for (content,) in self._db.execute("SELECT DISTINCT content FROM handfast_wanted")]

    def take_wishes(self, content: bytes) -> List[Path]:
        """Deletes the wishes for content, and returns their paths."""
        self._store.begin()
        paths = self._db.execute("SELECT path FROM handfast_wanted WHERE content = ?", (content,)).fetchall()
        self._db.execute("DELETE FROM handfast_wanted WHERE content = ?", (content,))
        return [Path(path) for (path,) in paths]

    def offer(self, content: bytes) -> None:
        """Notes that content is to be put at the peer."""
        self._store.begin()
        self._db.execute("INSERT OR IGNORE INTO handfast_offered VALUES (?)", (content,))

    def offered(self) -> List[bytes]:
        """Returns the content that is to be put at the peer."""
        return [content for (content,) in self._db.execute("SELECT content FROM handfast_offered")]

    def withdraw(self, content: bytes) -> bool:
        """Notes that content is not to be put any more. Returns whether it was to be."""
        self._store.begin()
        return self._db.execute("DELETE FROM handfast_offered WHERE content = ?", (content,)).rowcount > 0

    def close(self) -> None:
        """Closes all files."""
        for content in list(self._parts):
            self._close(content)

    def _close(self, content: bytes) -> None:
        part = self._parts.pop(content, None)
        if part is not None:
            part.close()

    def _sync_dir(self) -> None:
        if hasattr(os, "O_DIRECTORY"):
            folder = os.open(self._dir, os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


