#!/usr/bin/env python3
"""Tests of compare.py: a small made-up pair of devices, and one fault at a time put into it by hand."""

import hashlib
import json
import pathlib
import sqlite3
import tempfile
import unittest

import compare

MESSAGES = """CREATE TABLE messages(chat INTEGER, id INTEGER, author TEXT, time_ms INTEGER, text TEXT, state INTEGER,
    content BLOB NULL, media_type TEXT NULL, media_name TEXT NULL, media_size INTEGER NULL,
    companion BLOB NULL, command BLOB NULL, rev INTEGER)"""
COMMANDS = """CREATE TABLE commands(id INTEGER PRIMARY KEY, command BLOB, client_id TEXT, kind INTEGER, body BLOB, state INTEGER,
    result INTEGER NULL)"""
COMPANION = b"\x01" * 16
A, B, C = (bytes([n]) * 16 for n in (0xA1, 0x0B, 0xC1))  # keys: their order says nothing
PHOTO = bytes(range(256)) * 600  # three chunks, the last one short


class CompareTest(unittest.TestCase):
    """Each test changes one thing and expects one kind of fault."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.phone, self.companion = self.root / "phone", self.root / "companion"
        (self.phone / "media").mkdir(parents=True)
        self.companion.mkdir()
        photo = self.root / "photo.png"
        photo.write_bytes(PHOTO)
        self.content, self.sha256 = compare.content_id(photo)
        (self.phone / "media" / self.content).write_bytes(PHOTO)
        self.fetched = self.root / "fetched.png"
        self.fetched.write_bytes(PHOTO)
        self.rows = [self.row(1, n, author="Ada", text=f"old {n}") for n in range(1, 4)]
        self.rows += [self.row(2, n, author="Bob", text=f"old {n}") for n in range(1, 4)]
        self.rows += [
            self.row(1, 4, text="first", command=A),
            self.row(1, 5, author="Ada", text="answer to first"),
            self.row(1, 6, text="second", command=B),
            self.row(1, 7, text="from the phone"),
            self.row(2, 4, command=C, content=bytes.fromhex(self.content), name="photo.png", size=len(PHOTO)),
        ]
        self.commands = [(1, A, "a", 1, b"", 2, 4), (2, B, "b", 1, b"", 2, 6), (3, C, "c", 5, b"", 2, 4)]
        self.companions = {"web": self.companion}
        self.write_device(self.phone / "phone.db", None)
        self.write_device(self.companion / "companion.db", self.commands)
        self.write_ledger()

    def write_device(self, path, commands):
        path.parent.mkdir(exist_ok=True)
        database = sqlite3.connect(path)
        database.execute(MESSAGES)
        database.executemany("INSERT INTO messages VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", self.rows)
        if commands is not None:
            database.execute(COMMANDS)
            database.executemany("INSERT INTO commands VALUES (?,?,?,?,?,?,?)", commands)
        database.commit()
        database.close()

    def add_tablet(self):
        """A second companion, whose one text stands in the ledger too."""
        row = self.row(2, 5, text="from the tablet", companion=b"\x02" * 16, command=A)
        self.rows.append(row)
        for path in (self.phone / "phone.db", self.companion / "companion.db"):
            database = sqlite3.connect(path)
            database.execute("INSERT INTO messages VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", row)
            database.commit()
            database.close()
        self.write_device(self.root / "tablet" / "companion.db", [(1, A, "t", 1, b"", 2, 5)])
        self.companions["tablet"] = self.root / "tablet"
        entry = {"n": 7, "kind": "text", "by": "tablet", "chat": 2, "text": "from the tablet", "client_id": "t"}
        with self.ledger.open("a") as ledger:
            ledger.write(json.dumps(entry) + "\n")

    @staticmethod
    def row(chat, number, author="", text="", command=None, content=None, name=None, size=None, companion=COMPANION):
        companion = None if command is None else companion
        kind = None if content is None else "image/png"
        return (chat, number, author, 1000, text, 2, content, kind, name, size, companion, command, 10 * chat + number)

    def write_ledger(self):
        entries = [
            {"kind": "history", "chats": 2, "messages": 6},
            {"kind": "text", "by": "web", "chat": 1, "text": "first", "client_id": "a", "answer": "answer to first"},
            {"kind": "text", "by": "web", "chat": 1, "text": "second", "client_id": "b"},
            {"kind": "text", "by": "phone", "chat": 1, "text": "from the phone"},
            {"kind": "photo", "by": "web", "chat": 2, "name": "photo.png", "size": len(PHOTO), "sha256": self.sha256,
             "client_id": "c"},
            {"kind": "fetch", "content": self.content, "sha256": self.sha256, "out": str(self.fetched)},
        ]
        self.ledger = self.root / "ledger.jsonl"
        self.ledger.write_text("".join(json.dumps({"n": n, **e}) + "\n" for n, e in enumerate(entries, 1)))

    def change(self, where, statement):
        name = "phone.db" if where == "phone" else "companion.db"
        database = sqlite3.connect(self.root / where / name)
        changed = database.execute(statement).rowcount
        database.commit()
        database.close()
        self.assertGreaterEqual(changed, 1, "the change by hand must hit a row")

    def faults(self):
        faults, _ = compare.compare(self.ledger, self.phone, self.companions)
        return {kind: len(texts) for kind, texts in faults.by_kind.items() if texts}

    def test_no_fault(self):
        self.assertEqual(self.faults(), {})
        faults, _ = compare.compare(self.ledger, self.phone, self.companions, live=True)
        self.assertEqual(faults.total(), 0)

    def test_nothing_is_changed_by_looking(self):
        before = {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file()}
        self.faults()
        after = {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file()}
        self.assertEqual(before, after)

    def test_row_deleted_at_the_phone_is_lost(self):
        self.change("phone", "DELETE FROM messages WHERE text = 'second'")
        self.assertIn("lost", self.faults())

    def test_history_row_deleted_at_the_phone_is_seen(self):
        self.change("phone", "DELETE FROM messages WHERE chat = 2 AND id = 2")
        self.assertIn("duplicated", self.faults(), "the companion then holds a row too many")

    def test_row_deleted_at_the_companion_is_lost(self):
        self.change("companion", "DELETE FROM messages WHERE chat = 2 AND id = 2")
        self.assertEqual(self.faults(), {"lost": 1})

    def test_row_deleted_at_both_is_lost(self):
        for where in ("phone", "companion"):
            self.change(where, "DELETE FROM messages WHERE text = 'from the phone'")
        self.assertEqual(self.faults(), {"lost": 2})

    def test_answer_deleted_at_both_is_lost(self):
        for where in ("phone", "companion"):
            self.change(where, "DELETE FROM messages WHERE text = 'answer to first'")
        self.assertEqual(self.faults(), {"lost": 2})

    def test_old_rev_at_the_companion_is_lost(self):
        self.change("companion", "UPDATE messages SET rev = rev - 1, state = 1 WHERE text = 'first'")
        self.assertEqual(self.faults(), {"lost": 1})

    def test_text_twice_is_duplicated(self):
        for where in ("phone", "companion"):
            self.change(where, "INSERT INTO messages SELECT chat, 8, author, time_ms, text, state, content, media_type,"
                        " media_name, media_size, companion, x'D1', rev FROM messages WHERE text = 'second'")
        self.assertEqual(self.faults(), {"duplicated": 2})

    def test_command_that_ran_twice_is_duplicated(self):
        for where in ("phone", "companion"):
            self.change(where, "INSERT INTO messages SELECT chat, 8, author, time_ms, 'other', state, content, media_type,"
                        " media_name, media_size, companion, command, rev FROM messages WHERE text = 'second'")
        self.assertEqual(self.faults(), {"duplicated": 1})

    def test_command_twice_is_duplicated(self):
        self.change("companion", "INSERT INTO commands SELECT 9, x'D1', client_id, kind, body, state, result FROM commands"
                    " WHERE client_id = 'b'")
        self.assertEqual(self.faults(), {"duplicated": 1})

    def test_command_without_result_is_lost(self):
        self.change("companion", "UPDATE commands SET result = NULL WHERE client_id = 'b'")
        self.assertEqual(self.faults(), {"lost": 1})

    def test_swapped_texts_are_misordered(self):
        for where in ("phone", "companion"):
            self.change(where, "UPDATE messages SET id = 100 WHERE text = 'first'")
            self.change(where, "UPDATE messages SET id = 4 WHERE text = 'second'")
            self.change(where, "UPDATE messages SET id = 6 WHERE text = 'first'")
        self.assertIn("misordered", self.faults())

    def test_swapped_commands_are_misordered(self):
        for where in ("phone", "companion"):
            self.change(where, f"UPDATE messages SET command = iif(command = x'{A.hex()}', x'{B.hex()}', x'{A.hex()}')"
                        f" WHERE command IN (x'{A.hex()}', x'{B.hex()}')")
        self.assertIn("misordered", self.faults())

    def test_changed_text_at_the_companion_is_damaged(self):
        self.change("companion", "UPDATE messages SET text = 'old 9' WHERE chat = 2 AND id = 2")
        self.assertEqual(self.faults(), {"damaged": 1})

    def flip(self, path):
        data = bytearray(path.read_bytes())
        data[70_000] ^= 1
        path.write_bytes(data)

    def test_flipped_byte_on_the_phones_disk_is_damaged(self):
        self.flip(self.phone / "media" / self.content)
        self.assertEqual(self.faults(), {"damaged": 1})

    def test_flipped_byte_in_a_fetched_file_is_damaged(self):
        self.flip(self.fetched)
        self.assertEqual(self.faults(), {"damaged": 1})

    def test_missing_media_file_is_lost(self):
        (self.phone / "media" / self.content).unlink()
        self.assertEqual(self.faults(), {"lost": 1})

    def test_two_companions_without_fault(self):
        self.add_tablet()
        self.assertEqual(self.faults(), {}, "both have a command of this key")

    def test_row_deleted_at_the_second_companion_is_lost(self):
        self.add_tablet()
        self.change("tablet", "DELETE FROM messages WHERE chat = 2 AND id = 2")
        self.assertEqual(self.faults(), {"lost": 1})

    def test_command_of_the_second_companion_without_result_is_lost(self):
        self.add_tablet()
        self.change("tablet", "UPDATE commands SET result = NULL")
        self.assertEqual(self.faults(), {"lost": 1})

    def test_text_of_the_second_companion_missing_at_the_first_is_lost(self):
        self.add_tablet()
        self.change("companion", "DELETE FROM messages WHERE text = 'from the tablet'")
        self.assertEqual(self.faults(), {"lost": 2}, "as a row of the phone, and as an entry of the ledger")

    def test_content_id_by_hand(self):
        path = self.root / "small"
        path.write_bytes(b"handfast")
        chunk = hashlib.sha256(b"handfast").digest()
        root = hashlib.sha256(bytes([0, 0, 0, 0, 0, 0, 0, 8]) + chunk).hexdigest()
        self.assertEqual(compare.content_id(path)[0], root)


if __name__ == "__main__":
    unittest.main()
