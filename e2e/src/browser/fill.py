"""Puts chats of three messages each into a phone's database while no phone runs: fill.py DATABASE CHATS."""
import sqlite3
import sys

path, count = sys.argv[1], int(sys.argv[2])
db = sqlite3.connect(path)
rev, message = db.execute("SELECT rev, next_message FROM account").fetchone()
first = db.execute("SELECT max(chat) FROM chats").fetchone()[0] + 1
time_ms = db.execute("SELECT max(time_ms) FROM messages").fetchone()[0]
for chat in range(first, first + count):
    name = f"Neighbour {chat}"
    rev += 1
    db.execute("INSERT INTO chats(chat, title, contact, rev) VALUES(?, ?, ?, ?)", (chat, name, name, rev))
    for number in range(3):
        rev, time_ms, text = rev + 1, time_ms + 1_000, f"note {number} of {chat}"
        row = (chat, message, name, time_ms, text, rev)
        db.execute("INSERT INTO messages(chat, id, author, time_ms, text, state, rev) VALUES(?, ?, ?, ?, ?, 6, ?)", row)
        message += 1
    rev += 1
    row = (message - 1, text, time_ms, rev, chat)
    db.execute("UPDATE chats SET last_message = ?, last_text = ?, last_time_ms = ?, rev = ? WHERE chat = ?", row)
db.execute("UPDATE account SET rev = ?, next_message = ?", (rev, message))
db.commit()
db.close()
# The phone asks for its log, which is merged now.
open(f"{path}-wal", "a").close()
print(first)
