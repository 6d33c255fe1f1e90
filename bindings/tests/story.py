"""Plays stories between phones and companions of several languages, as processes over the real relay.

    story.py RELAY STORY PHONE COMPANION [RUNS]

`PHONE` and `COMPANION` are command lines of the program with the shopping list in some language. Stories: `list` links the two,
adds from either side, and kills both in turn; `kills` kills each at random moments while commands are sent, `RUNS` times
each; `files` sends a file each way, with a kill in the middle of each; `file` one from the phone; `reference` lets the
reference companion, whose words are a messenger's, send a text and a file to the phone, with a kill of the phone in between.
"""

import json
import os
import queue
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PATIENCE = 60


class Program:
    """A program that runs, with the lines that it prints."""

    def __init__(self, words):
        self.words = words
        self.start()

    def start(self, extra=()):
        pipe = subprocess.PIPE
        self.child = subprocess.Popen([*self.words, *extra], stdin=pipe, stdout=pipe, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, args=(self.child.stdout, self.lines), daemon=True).start()

    @staticmethod
    def _read(output, lines):
        for line in output:
            lines.put(line.rstrip("\n"))
        lines.put(None)

    def say(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def wait_for(self, text, patience=PATIENCE):
        """Waits for a line with this text, and returns what follows it."""
        deadline = time.monotonic() + patience
        seen = []
        while True:
            try:
                line = self.lines.get(timeout=max(0.001, deadline - time.monotonic()))
            except queue.Empty:
                raise SystemExit(f"{self.words} did not print {text!r}, but {seen}") from None
            if line is None:
                raise SystemExit(f"{self.words} ended before it printed {text!r}: {seen}")
            seen.append(line)
            if text in line:
                return line.split(text, 1)[1].strip()

    def event(self, name):
        """Waits for an event of a program that speaks JSON."""
        mark = f'"event":"{name}"'
        while True:
            line = self.wait_for("{")
            if mark in line:
                return json.loads("{" + line)

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def end(self):
        self.say("")
        self.child.wait(timeout=PATIENCE)


# The result of the messenger that says: this text is message 1, of revision 1.
ACCEPTED = "01010101030101"


class Story:
    def __init__(self, relay, phone, companion, folder):
        self.folder = folder
        self.relay = Program([relay, "--listen", "127.0.0.1:0"])
        self.name = self.relay.wait_for("name").split()[0]
        self.phone_words = [*shlex.split(phone), str(folder / "phone")]
        self.companion = Program([*shlex.split(companion), str(folder / "companion"), self.name])
        self.phone = None

    def reference(self):
        web = [*self.companion.words[:-2], "--data", str(self.folder / "web"), "--relay", self.name, "--json"]
        self.companion.kill()
        self.companion = Program([*web, "pair"])
        self.phone_words += ["--answer", ACCEPTED]
        self.phone = Program([*self.phone_words[:-2], self.companion.event("code")["text"], *self.phone_words[-2:]])
        self.phone.wait_for("The four digits")
        self.phone.say(self.companion.event("check_code")["code"])
        self.phone.wait_for("yes or no")
        self.phone.say("yes")
        number = self.phone.wait_for("Type there:")
        self.companion.event("number_wanted")
        self.companion.say(json.dumps({"number": number}))
        self.companion.event("linked")
        self.companion.child.wait(timeout=PATIENCE)
        self.phone.words = self.phone_words
        self.companion = Program([*web, "run"])
        self.companion.event("ready")

        def ask(*words):
            subprocess.run([*web, *words], check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)

        ask("send", "7", "a text for Kotlin")
        self.phone.wait_for("a text for Kotlin")
        there = self.make("from the reference", 2_500_001)
        ask("attach", "7", str(there))
        self.again(self.phone)
        came = Path(self.phone.wait_for("a file came:"))
        if came.read_bytes() != there.read_bytes():
            raise SystemExit("another file came")
        # The message that names the file is a command of its own, once the phone has it.
        self.phone.wait_for("from the reference")
        self.phone.end()
        self.companion.kill()

    def link(self):
        code = self.companion.wait_for("Scan this code:")
        self.phone = Program([*self.phone_words, code])
        self.phone.wait_for("The four digits")
        self.phone.say(self.companion.wait_for("Type at the phone:"))
        self.phone.wait_for("yes or no")
        self.phone.say("yes")
        number = self.phone.wait_for("Type there:")
        self.companion.wait_for("The number that it shows?")
        self.companion.say(number)
        for side in (self.phone, self.companion):
            side.wait_for("Linked")
            side.wait_for("Anything to add?")
        self.phone.words = self.phone_words

    def again(self, side):
        side.kill()
        side.start()
        side.wait_for("Anything to add?")

    def list(self):
        self.link()
        self.companion.say("milk")
        self.phone.wait_for("on the list: milk")
        self.companion.wait_for("on the list: milk")
        self.phone.say("bread")
        self.companion.wait_for("on the list: bread")
        self.phone.kill()
        self.companion.say("eggs")
        self.companion.wait_for("Anything to add?")
        self.companion.kill()
        self.phone.start()
        self.companion.start()
        self.phone.wait_for("on the list: eggs")
        self.companion.wait_for("on the list: eggs")
        for side in (self.phone, self.companion):
            side.end()

    def kills(self, runs):
        self.link()
        lots, draw = random.Random(runs), []
        for number in range(2 * runs):
            draw.append(f"item {number}")
            self.companion.say(draw[-1])
            self.companion.wait_for("Anything to add?")
            # The moment of the kill is the point: anywhere in what follows the command.
            time.sleep(lots.random() * 0.3)
            self.again((self.phone, self.companion)[number % 2])
        self.companion.say("the end")
        self.companion.wait_for("on the list: the end")
        for side in (self.phone, self.companion):
            side.end()
        self.count(draw)

    def count(self, items):
        """What a companion that is linked afterwards is told is what the phone has."""
        fresh = Program([*self.companion.words[:-2], str(self.folder / "fresh"), self.name])
        self.companion = fresh
        self.link()
        seen = [fresh.wait_for("on the list:")]
        while seen[-1] != "the end":
            seen.append(fresh.wait_for("on the list:"))
        if seen != [*items, "the end"]:
            raise SystemExit(f"lost, doubled or out of order: {seen}")
        for side in (self.phone, fresh):
            side.end()

    def make(self, name, size):
        path = self.folder / name
        path.write_bytes(random.Random(size).randbytes(size))
        return path

    def file(self, size=3_000_000, kill=False):
        there, here = self.make("from the phone", size), self.folder / "fetched"
        self.phone.say(f"file {there}")
        content = self.companion.wait_for("a file:").split()[0]
        self.companion.say(f"get {content} {here}")
        if kill:
            self.companion.wait_for("Anything to add?")
            self.again(self.phone)
            self.again(self.companion)
        self.companion.wait_for("the file is here:")
        if here.read_bytes() != there.read_bytes():
            raise SystemExit("another file came")

    def files(self):
        self.link()
        self.file(kill=True)
        there = self.make("from the companion", 2_500_001)
        self.companion.say(f"put {there}")
        self.companion.wait_for("Anything to add?")
        self.again(self.companion)
        self.again(self.phone)
        came = Path(self.phone.wait_for("a file came:"))
        self.companion.wait_for("the phone has the file")
        if came.read_bytes() != there.read_bytes():
            raise SystemExit("another file came")
        for side in (self.phone, self.companion):
            side.end()


def main():
    relay, story, phone, companion, *runs = sys.argv[1:]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        play = Story(relay, phone, companion, Path(folder))
        try:
            if story == "kills":
                play.kills(int(runs[0]))
            elif story == "file":
                play.link()
                play.file()
            else:
                getattr(play, story)()
        finally:
            for program in (play.relay, play.companion, play.phone):
                if program is not None:
                    program.kill()
    print(f"ok {time.monotonic() - began:5.1f} s  {story}: {os.path.basename(phone.split()[-1])} and {os.path.basename(companion.split()[-1])}")


if __name__ == "__main__":
    main()
