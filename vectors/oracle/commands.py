"""Commands by their keys: envelopes, a phone's memory, a web that was put back (spec/delivery.md), replies (spec/handshake.md)."""

from bisect import bisect_left, insort

from oracle.conventions import Reader, Refused, label, need, number, sha256
from oracle.payload import payload_decode

OPEN, KEPT, SETTLED, RESULTS = 1024, 4096, 64, 4194304


def name(value):
    """The key that cases give by a number: its 16 bytes."""
    return int(value).to_bytes(16, "big")


def envelope_decode(given):
    reader = Reader(bytes.fromhex(given["message"]))
    if given["kind"] == "command":
        out = {"number": number(reader.varint()), "floor": number(reader.varint())}
        return out | {"key": reader.take(16).hex(), "body": reader.rest().hex()}, {}
    out, status = {"key": reader.take(16).hex()}, reader.u8()
    need(status in (0, 1), "FIELD_VALUE")
    if status == 0:
        return out | {"status": "RESULT", "body": reader.rest().hex()}, {}
    reader.finish()
    return out | {"status": "ALREADY_DONE"}, {}


def command_old_key(given):
    parts = label("old command") + bytes.fromhex(given["mailbox"]) + int(given["number"]).to_bytes(8, "big")
    return {"key": sha256(parts)[:16].hex()}, {}


class Phone:
    """What a phone keeps: by key the number, whether it runs again, and the length of its result, none once forgotten."""

    def __init__(self):
        self.kept, self.order, self.bytes = {}, [], 0
        self.floor, self.from_ = 0, 1
        self.highest, self.last = 0, bytes(16)

    def below(self, floor):
        """How many commands lie below a floor; `order` has the lowest number first."""
        return bisect_left(self.order, (floor, b""))

    def forget_result(self, key):
        length = self.kept[key]["length"]
        if length is not None and length > SETTLED:
            self.bytes -= length
            self.kept[key]["length"] = None

    def put(self, key, at, length, reads):
        old = self.kept.get(key)
        if old is not None:
            self.bytes -= old["length"] or 0
            self.order.remove((old["number"], key))
            at = max(at, old["number"])
        self.kept[key] = {"number": at, "reads": reads, "length": length}
        self.bytes += length or 0
        insort(self.order, (at, key))

    def raise_floor(self, floor):
        if floor <= self.floor:
            return
        for _, key in self.order[self.below(self.floor) : self.below(floor)]:
            self.forget_result(key)
        self.floor = floor
        for at, key in self.order[: max(0, self.below(floor) - KEPT)]:
            self.from_ = max(self.from_, at + 1)
            self.bytes -= self.kept.pop(key)["length"] or 0
        self.order = [row for row in self.order if row[1] in self.kept] if len(self.order) > len(self.kept) else self.order

    def command(self, at, floor, key, length, reads):
        need(floor <= at < floor + OPEN, "COMMAND_FLOOR")
        self.raise_floor(floor)
        row = self.kept.get(key)
        if row is None:
            need(at >= self.floor, "COMMAND_FLOOR")
            need(len(self.order) - self.below(self.floor) < OPEN, "LIMIT")
        if at > self.highest:
            self.highest, self.last = at, key
        if row is not None and not row["reads"]:
            self.put(key, at, row["length"], False)
            return "ALREADY_DONE" if row["length"] is None else f"RESULT {row['length']}"
        self.put(key, at, None if reads else length, reads)
        if self.bytes > RESULTS:
            for _, each in self.order:
                if self.bytes > RESULTS:
                    self.forget_result(each)
        return "RUN"

    def known(self):
        # A floor of `highest` + 1 settles them all.
        lost = self.order[: max(0, len(self.order) - KEPT)]
        from_ = max([self.from_] + [at + 1 for at, _ in lost])
        return {"highest": number(self.highest), "key": self.last.hex(), "from": number(from_)}


def commands_phone(given):
    phone, steps = Phone(), []
    for step in given["steps"]:
        answers, first = [], int(step["number"])
        for at in range(step.get("count", 1)):
            this = first if step.get("stands") else first + at
            key = name(int(step.get("key", first)) + at)
            floor = int(step.get("floor", this))
            answer = phone.command(this, floor, key, step.get("len", 3), step.get("reads", False))
            if answers and answers[-1][0] == answer:
                answers[-1][1] += 1
            else:
                answers.append([answer, 1])
        steps.append({"answers": answers, "keys": len(phone.kept), "bytes": phone.bytes, "known": phone.known()})
    return {"steps": steps}, {}


def commands_web(given):
    next_, known = int(given["next"]), given["known"]
    highest, waiting = int(known["highest"]), {int(at): name(key) for at, key in given["waiting"]}
    own = {at: name(at) for first, last in given["settled"] for at in range(first, last + 1)} | waiting
    own = {at: key for at, key in own.items() if at >= next_ - KEPT or at in waiting}
    put_back = next_ <= highest or own.get(highest, bytes.fromhex(known["key"])).hex() != known["key"]
    if not put_back:
        return {"put_back": False}, {}
    need(all(at >= int(known["from"]) for at in waiting), "COMMANDS_FORGOTTEN")
    anew = [[number(highest + 1 + at), waiting[old].hex()] for at, old in enumerate(sorted(waiting))]
    return {"put_back": True, "waiting": anew, "floor": number(highest + 1), "next": number(highest + 1 + len(anew))}, {}


def reply_read(given):
    payload = payload_decode({"kind": "kk2", "payload": given["payload"]})[0]
    version = bytes.fromhex(payload["versions"])[0]
    need(version in bytes.fromhex(given["offered"]), "NO_COMMON_VERSION")
    block = given["mode"] == "resume" and not payload["quarantine"]
    for field, wanted in (("resume", block), ("commands", block and version != 1)):
        if wanted != (field in payload):
            raise Refused("FIELD_MISSING" if wanted else "FIELD_VALUE")
    return {"version": version}, {}
