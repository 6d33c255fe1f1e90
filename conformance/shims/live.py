#!/usr/bin/env python3
"""The reference programs behind the live requests of SHIMS.md: `live.py phone PROGRAM` or `live.py web PROGRAM`.

It runs the program as a process of its own over a folder of its own, is its user, and tells what it says.
"""

import ctypes
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

READY_MAX = 25  # seconds
HELLO = {"proto": 1, "spec": "1", "version": "0.1.0", "ops": ["live"]}


def ends_with_us():
    """On Linux, a program does not outlive this one."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Program:
    """What both roles have in common: processes, and what was told."""

    def __init__(self, path, relay):
        self.path, self.relay = path, relay
        self.folder = tempfile.mkdtemp(prefix="handfast-live-")
        self.lock, self.words, self.processes = threading.Lock(), [], []
        self.ready = threading.Event()

    def start(self, *words):
        command = [self.path, "--data", self.folder, "--json", *self.options(), *words]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, preexec_fn=ends_with_us)
        self.processes.append(process)
        threading.Thread(target=self.listen, args=[process], daemon=True).start()
        return process

    def listen(self, process):
        for line in process.stdout:
            event = json.loads(line)
            if event.get("event") == "ready":
                self.ready.set()
            with self.lock:
                self.hear(event)

    def say(self, process, line):
        process.stdin.write(json.dumps(line) + "\n")
        process.stdin.flush()

    def ask(self, *words):
        """Runs a verb beside the running program."""
        command = [self.path, "--data", self.folder, "--json", *self.options(), *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=READY_MAX)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())

    def send(self, given):
        self.ready.wait(READY_MAX)
        self.ask("send", str(given["chat"]), given["text"])

    def told(self):
        with self.lock:
            words, self.words = self.words, []
        return words

    def kill(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes, _ = [], self.ready.clear()

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Phone(Program):
    def options(self):
        return ["--developer", "--allow-relay", self.relay]

    def run(self):
        self.start("run")

    def scan(self, given):
        self.ready.wait(READY_MAX)
        self.scanner = self.start("scan", "--text-stdin")
        self.scanner.stdin.write(given["code"] + "\n")
        self.scanner.stdin.flush()

    def type(self, given):
        self.say(self.scanner, {"check_code": given["digits"]})

    def approve(self, given):
        self.say(self.scanner, {"approve": given["yes"]})

    def hear(self, event):
        word = {
            "check_code_wanted": "check-code-wanted",
            "wrong_code": f"wrong-code {event.get('left')}",
            "approval_wanted": f"approval-wanted {event.get('label')}",
            "show_nn": f"nn {event.get('nn')}",
            "ended": f"ended {event.get('code')}",
            "linked": "linked",
            "diverged": "diverged",
        }.get(event.get("event"))
        # The running phone and the scan both say it.
        if word and not (word == "linked" and "linked" in self.words):
            self.words.append(word)


class Web(Program):
    linked = False
    code = None

    def options(self):
        return ["--relay", self.relay]

    def run(self):
        self.pairing = not self.linked
        self.front = self.start("pair", "--label", "Reference") if self.pairing else self.start("run")

    def show(self, _):
        """A code that is still good, or the next one."""
        with self.lock:
            self.words = [word for word in self.words if not word.startswith("code ")]
            if self.code:
                self.words.append(f"code {self.code}")
                return
        # A phone has scanned the last one: the next is shown when the user asks for it.
        self.say(self.front, {"new_code": True})

    def number(self, given):
        self.say(self.front, {"number": given["digits"]})

    def told(self):
        # `pair` ends when it has linked. The thread that starts a program has to last as long as it.
        if self.linked and self.pairing and self.front.poll() == 0:
            self.run()
        return super().told()

    def hear(self, event):
        name = event.get("event")
        if name == "code":
            self.code = event["text"]
        # What a phone has scanned is no code for another, whatever comes of it.
        if name in ("check_code", "code_burnt"):
            self.code = None
        self.linked = self.linked or name == "linked"
        word = {
            "code": f"code {event.get('text')}",
            "check_code": f"check-code {event.get('code')}",
            "number_wanted": "number-wanted",
            "code_burnt": f"ended {event.get('code')}",
            "message": f"text {event.get('chat')} {event.get('text')}",
            "linked": "linked",
            "diverged": "diverged",
        }.get(name)
        if word:
            self.words.append(word)


class Shim:
    def __init__(self, role, path):
        self.role, self.path, self.program = role, path, None

    def answer(self, op, given):
        if op == "hello":
            return HELLO | {"ok": True, "name": f"reference-{self.role}", "roles": [self.role]}
        if op == "live.begin":
            if self.program:
                self.program.close()
            self.program = {"phone": Phone, "web": Web}[self.role](self.path, given["relay"])
            self.program.run()
        elif op == "live.end":
            self.program.kill()
        elif op == "live.again":
            self.program.run()
        elif op == "live.do":
            getattr(self.program, given["verb"])(given)
        elif op == "live.told":
            return {"ok": True, "out": {"told": self.program.told()}}
        else:
            return {"unsupported": op}
        return {"ok": True, "out": {}}


def main():
    role, path = sys.argv[1:]
    shim = Shim(role, str(Path(path).resolve()))
    try:
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = shim.answer(request["op"], request["in"])
            except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
                answer = {"ok": False, "error": str(error)}
            print(json.dumps({"id": request["id"]} | answer), flush=True)
    finally:
        if shim.program:
            shim.program.close()


if __name__ == "__main__":
    main()
