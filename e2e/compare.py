#!/usr/bin/env python3
"""Compares what was asked for with what lies on the phone and on its companions.

    compare.py --ledger FILE --phone DIR --companion NAME DIR [--companion NAME DIR ..] [--json] [--live]

The ledger has one JSON object a line, written before each thing was asked for:

    {"n":1,"kind":"history","chats":20,"messages":2000}
    {"n":2,"kind":"text","by":"web","chat":3,"text":"..","client_id":"..","answer":".."}
    {"n":3,"kind":"text","by":"phone","chat":3,"text":"..","answer":".."}
    {"n":4,"kind":"photo","by":"web","chat":3,"name":"..","size":5242880,"sha256":"..","client_id":".."}
    {"n":5,"kind":"fetch","content":"..","sha256":"..","out":"FILE"}

`by` is `phone` or the name of a companion; `fetch` and `photo` are looked at for all. `answer`, where it is given, is
the text by which the contact answers. The databases are copied before they are opened,
so nothing is changed in the directories; the programs must have ended. With `--live` they may still run, and the
databases are read where they are.

Every fault is one of

    lost        asked for, or held by the phone, and not where it must be (a row that is older than the phone's counts too)
    duplicated  there more often than it was asked for
    misordered  in another order than it was asked for
    damaged     there, with other content: a field, a file, a content id

Exit code 0: no fault. 1: faults. 2: the comparison could not be made.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import sqlite3
import sys
import tempfile

CHUNK_LEN = 65536
MESSAGE_COLUMNS = (
    "chat, id, author, time_ms, text, state, content, media_type, media_name, media_size, companion, command, rev"
)
COMMAND_COLUMNS = "id, command, client_id, kind, state, result"


class Faults:
    """The faults found, by kind."""

    KINDS = ("lost", "duplicated", "misordered", "damaged")

    def __init__(self):
        self.by_kind = {kind: [] for kind in self.KINDS}

    def add(self, kind, text):
        self.by_kind[kind].append(text)

    def total(self):
        return sum(len(texts) for texts in self.by_kind.values())


def copied(database, scratch):
    """Copies a database and its write-ahead log; returns the copy."""
    copy = pathlib.Path(tempfile.mkdtemp(dir=scratch)) / database.name
    for ending in ("", "-wal"):
        part = database.with_name(database.name + ending)
        if part.exists():
            shutil.copyfile(part, copy.with_name(copy.name + ending))
    return copy


def read_rows(database, query, scratch):
    """Reads all rows of `query` as dictionaries, from a copy of `database` or, without `scratch`, where it is."""
    if not database.is_file():
        raise FileNotFoundError(f"{database} is missing")
    if scratch is None:
        connection = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=10)
    else:
        connection = sqlite3.connect(copied(database, scratch))
    try:
        if scratch is not None:
            verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if verdict != "ok":
                raise sqlite3.DatabaseError(f"{database}: integrity check says {verdict}")
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]
    finally:
        connection.close()


def content_id(path):
    """Computes content id and SHA-256 of a file: spec/streams.md, 'media'."""
    whole, chunks = hashlib.sha256(), []
    size = path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_LEN):
            whole.update(chunk)
            chunks.append(hashlib.sha256(chunk).digest())
    root = hashlib.sha256(size.to_bytes(8, "big") + b"".join(chunks))
    return root.hexdigest(), whole.hexdigest()


def hex_of(blob):
    return None if blob is None else bytes(blob).hex()


def label(row):
    return f"chat {row['chat']} message {row['id']}"


def by_key(rows, where, faults):
    """Indexes rows by (chat, id); a key that comes twice is a fault."""
    index = {}
    for row in rows:
        key = (row["chat"], row["id"])
        if key in index:
            faults.add("duplicated", f"{where}: {label(row)} is there twice")
        index[key] = row
    return index


def compare_devices(phone, companion, name, faults):
    """Every row of the phone must be at the companion as it is, and no other."""
    for key, ours in phone.items():
        theirs = companion.get(key)
        if theirs is None:
            faults.add("lost", f"{label(ours)} of the phone is not at {name}")
        elif theirs["rev"] < ours["rev"]:
            faults.add("lost", f"{label(ours)}: {name} holds rev {theirs['rev']}, the phone {ours['rev']}")
        else:
            other = [column for column in ours if column != "rev" and ours[column] != theirs[column]]
            if other:
                faults.add("damaged", f"{label(ours)} differs at {name} in {', '.join(other)}")
    for key, theirs in companion.items():
        if key not in phone:
            faults.add("duplicated", f"{label(theirs)} of {name} is not at the phone")


def find_asked(entry, rows):
    """Returns the rows that hold what this ledger entry asked for."""
    if entry["kind"] == "text":
        return [row for row in rows if row["author"] == "" and row["text"] == entry["text"]]
    return [row for row in rows if row["author"] == "" and row["media_name"] == entry["name"]]


def compare_ledger(ledger, phone, where, faults):
    """Each thing asked for is there exactly once, in the order of asking; returns the row of each entry."""
    found, rows = {}, list(phone.values())
    for entry in ledger:
        if entry["kind"] not in ("text", "photo"):
            continue
        hits = find_asked(entry, rows)
        name = f"{where}: {entry['kind']} {entry['n']}"
        if not hits:
            faults.add("lost", f"{name} ({entry['by']}, chat {entry['chat']}) is not there")
            continue
        if len(hits) > 1:
            faults.add("duplicated", f"{name} is there {len(hits)} times")
        found[entry["n"]] = hits[0]
        if hits[0]["chat"] != entry["chat"]:
            faults.add("damaged", f"{name} lies in chat {hits[0]['chat']} and was asked for in {entry['chat']}")
        compare_answer(entry, hits[0], rows, name, faults)
    return found


def compare_answer(entry, asked, rows, name, faults):
    """The contact's answer is there once, after what it answers."""
    if entry.get("answer") is None:
        return
    hits = [row for row in rows if row["author"] != "" and row["text"] == entry["answer"]]
    if not hits:
        faults.add("lost", f"{name}: the contact's answer is not there")
    elif len(hits) > 1:
        faults.add("duplicated", f"{name}: the contact answered {len(hits)} times")
    elif hits[0]["id"] < asked["id"]:
        faults.add("misordered", f"{name}: the answer stands before the text")


def compare_order(ledger, found, places, where, faults):
    """Texts of one side stand in a chat in the order of asking, their commands also across chats.

    `places` are where the commands of each companion stand there, by their keys.

    Photos have an order of their own: one stands in the chat when it is whole, and texts need not wait for it.
    """
    last_id, last_cmd = {}, {}
    for entry in ledger:
        row = found.get(entry["n"])
        if row is None:
            continue
        lane = (entry["by"], entry["kind"], entry["chat"])
        if row["id"] < last_id.get(lane, -1):
            faults.add("misordered", f"{where}: {entry['kind']} {entry['n']} stands before the one asked for earlier")
        last_id[lane] = row["id"]
        place = places.get(entry["by"], {}).get(row["command"])
        if entry["kind"] == "text" and place is not None:
            before = last_cmd.get(entry["by"], 0)
            if place <= before:
                faults.add("misordered", f"{where}: command {place} of {entry['n']} came after {before}")
            last_cmd[entry["by"]] = place


def compare_commands(ledger, found, commands, by, faults):
    """Each command that this companion was asked for is one row there, and its result is the phone's row."""
    by_client = {}
    for command in commands:
        by_client.setdefault(command["client_id"], []).append(command)
    for entry in ledger:
        if entry.get("by") != by:
            continue
        hits, row = by_client.get(entry["client_id"], []), found.get(entry["n"])
        name = f"{by}: the command of {entry['kind']} {entry['n']}"
        if not hits:
            faults.add("lost", f"{name} is not there")
        elif len(hits) > 1:
            faults.add("duplicated", f"{name} is there {len(hits)} times")
        elif hits[0]["result"] is None:
            faults.add("lost", f"{name} has no result")
        elif row is not None and (hits[0]["result"], hits[0]["command"]) != (row["id"], row["command"]):
            faults.add("damaged", f"{name}: result or key is not the one of the phone's row")


def compare_runs(phone, faults):
    """No command of a companion made two rows at the phone."""
    ran = {}
    for row in phone.values():
        if row["command"] is not None:
            ran.setdefault((hex_of(row["companion"]), hex_of(row["command"])), []).append(row)
    for (_, key), rows in ran.items():
        if len(rows) > 1:
            faults.add("duplicated", f"command {key} made {len(rows)} rows at the phone")


def compare_file(path, content, sha256, what, faults):
    """A file must exist and hash to its content id and, where known, to the ledger's hash."""
    if not path.is_file():
        faults.add("lost", f"{what}: {path.name} is not there")
        return
    root, whole = content_id(path)
    if content is not None and root != content:
        faults.add("damaged", f"{what}: {path.name} does not hash to its content id")
    elif sha256 is not None and whole != sha256:
        faults.add("damaged", f"{what}: {path.name} has another SHA-256 than the file that was given")


def compare_media(ledger, found, phone, phone_dir, faults):
    """Media of every row that has some lies on the phone's disk; fetched files at the companion are whole."""
    asked = {}
    files = 0
    for entry in ledger:
        if entry["kind"] == "photo" and entry["n"] in found:
            asked[hex_of(found[entry["n"]]["content"])] = entry
    for content in sorted({hex_of(row["content"]) for row in phone.values()} - {None}):
        entry = asked.get(content)
        compare_file(phone_dir / "media" / content, content, entry and entry["sha256"], "the phone's media", faults)
        files += 1
    for entry in ledger:
        if entry["kind"] == "photo" and entry["n"] in found:
            row = found[entry["n"]]
            if row["content"] is None or row["media_size"] != entry["size"]:
                faults.add("damaged", f"photo {entry['n']}: descriptor without content or with another size")
        if entry["kind"] == "fetch":
            compare_file(pathlib.Path(entry["out"]), entry["content"], entry["sha256"], "a fetched file", faults)
            files += 1
    return files


def compare_history(ledger, rows, where, faults):
    """A device holds at least the history that was there at the beginning."""
    for entry in ledger:
        if entry["kind"] != "history":
            continue
        chats = len({chat for chat, _ in rows})
        if chats < entry["chats"]:
            faults.add("lost", f"{where} holds {chats} chats of {entry['chats']}")
        if len(rows) < entry["messages"]:
            faults.add("lost", f"{where} holds {len(rows)} messages of {entry['messages']}")


def compare(ledger_path, phone_dir, companion_dirs, live=False):
    """Makes the whole comparison, with directories of companions by name; returns the faults and what was looked at."""
    faults = Faults()
    ledger = [json.loads(line) for line in ledger_path.read_text().splitlines() if line.strip()]
    messages = f"SELECT {MESSAGE_COLUMNS} FROM messages ORDER BY chat, id"
    commands = f"SELECT {COMMAND_COLUMNS} FROM commands ORDER BY id"
    mirrors = {}
    with tempfile.TemporaryDirectory() as folder:
        scratch = None if live else folder
        phone_rows = read_rows(phone_dir / "phone.db", messages, scratch)
        for by, folder in companion_dirs.items():
            database = folder / "companion.db"
            mirrors[by] = (read_rows(database, messages, scratch), read_rows(database, commands, scratch))
    phone = by_key(phone_rows, "phone", faults)
    compare_history(ledger, phone, "phone", faults)
    found = compare_ledger(ledger, phone, "phone", faults)
    places = {by: {asked["command"]: asked["id"] for asked in rows} for by, (_, rows) in mirrors.items()}
    compare_order(ledger, found, places, "phone", faults)
    compare_runs(phone, faults)
    for by, (rows, asked) in mirrors.items():
        mirror = by_key(rows, by, faults)
        compare_history(ledger, mirror, by, faults)
        compare_devices(phone, mirror, by, faults)
        compare_order(ledger, compare_ledger(ledger, mirror, by, faults), places, by, faults)
        compare_commands(ledger, found, asked, by, faults)
    files = compare_media(ledger, found, phone, phone_dir, faults)
    looked_at = {
        "asked": len(ledger),
        "phone_messages": len(phone),
        "companions": len(mirrors),
        "companion_messages": sum(len(rows) for rows, _ in mirrors.values()),
        "commands": sum(len(asked) for _, asked in mirrors.values()),
        "files": files,
    }
    return faults, looked_at


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ledger", type=pathlib.Path, required=True)
    parser.add_argument("--phone", type=pathlib.Path, required=True)
    parser.add_argument("--companion", nargs=2, action="append", required=True, metavar=("NAME", "DIR"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--live", action="store_true", help="the programs may still run")
    options = parser.parse_args()
    try:
        companions = {name: pathlib.Path(folder) for name, folder in options.companion}
        faults, looked_at = compare(options.ledger, options.phone, companions, options.live)
    except (OSError, sqlite3.Error, ValueError, KeyError) as error:
        print(f"compare.py: no comparison: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps({"faults": faults.by_kind, "looked_at": looked_at}))
    else:
        for kind, texts in faults.by_kind.items():
            print(f"{kind} {len(texts)}")
            for text in texts[:20]:
                print(f"    {text}")
    return 1 if faults.total() else 0


if __name__ == "__main__":
    sys.exit(main())
