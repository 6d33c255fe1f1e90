"""Handshake payloads (spec/handshake.md, spec/delivery.md)."""

from oracle.conventions import Reader, Tlv, need, number, pad, tlv_encode, u64, varint_encode
from oracle.record import SIZES, varints


def ascending(last, value):
    need(value != last, "DUPLICATE_FIELD")
    need(last is None or value > last, "FIELD_ORDER")


def pairs(reader, most):
    out = []
    while reader.left():
        need(len(out) < most, "FIELD_LENGTH")
        first = reader.varint()
        ascending(out[-1][0] if out else None, first)
        out.append((first, reader.varint()))
    return [[number(first), number(second)] for first, second in out]


def terms(tlv, reply):
    out = {"versions": tlv.hex(1, 1, 1 if reply else 8), "capabilities": []}
    reader, last = Reader(tlv.bytes(3, 0, 1 << 16)), None
    while reader.left():
        need(len(out["capabilities"]) < 32, "FIELD_LENGTH")
        value = reader.varint()
        ascending(last, value)
        last = value
        out["capabilities"].append(number(value))
    out["limits"] = pairs(Reader(tlv.bytes(5, 0, 1 << 16)), 32)
    return out


def resume_decode(data):
    reader = Reader(data)
    out = {"out_epoch": reader.take(16).hex(), "in_epoch": reader.take(16).hex()}
    out |= varints("next_seq", "durable", "oldest")(reader)
    out["log_id"] = reader.take(16).hex()
    out |= varints("rev")(reader)
    return out | {"streams": pairs(reader, 16)}


def commands_decode(data):
    reader = Reader(data)
    out = varints("highest")(reader) | {"key": reader.take(16).hex()} | varints("from")(reader)
    reader.finish()
    return out


PAYLOADS = {
    "xk1": (1, 3, 5),
    "xk2": (1, 3, 5, 7, 9, 11, 13, 15, 17, 29),
    "xk3": (),
    "kk1": (1, 3, 5, 19, 21, 23, 25),
    "kk2": (1, 3, 5, 21, 27, 31),
}


def payload_decode(given):
    kind, data = given["kind"], bytes.fromhex(given["payload"])
    need(len(data) in SIZES[:5], "BAD_RECORD_SIZE")
    tlv = Tlv(data, PAYLOADS[kind], padded=True)
    need(len(pad(data[: tlv.length])) == len(data), "BAD_RECORD_SIZE")
    if kind == "xk3":
        return {}, {}
    out = terms(tlv, kind in ("xk2", "kk2"))
    if kind == "xk2":
        out |= {"wd": tlv.hex(7, 32), "we": tlv.hex(9, 32), "web_attach": tlv.hex(11, 32)}
        out |= {"label": tlv.text(13, 1, 64), "origin": tlv.text(15, 0, 128), "grants": number(tlv.varint(17))}
        out["opening"] = tlv.hex(29, 32)
    if kind == "kk1":
        out["try"] = str(u64(tlv.bytes(19, 8)))
    if kind in ("kk1", "kk2") and tlv.has(21):
        out["resume"] = resume_decode(tlv.fields[21])
    if kind == "kk1" and tlv.has(23):
        out["psk_id_held"] = tlv.hex(23, 8)
    for flag, name in ((25, "pending"), (27, "quarantine")):
        if flag in PAYLOADS[kind]:
            need(not tlv.fields.get(flag), "FIELD_LENGTH")
            out[name] = tlv.has(flag)
    if kind == "kk2" and tlv.has(31):
        out["commands"] = commands_decode(tlv.fields[31])
    return out, {}


def payload_encode(given, more):
    """The terms, then further fields, padded."""
    capabilities = b"".join(varint_encode(int(value)) for value in given["capabilities"])
    limits = b"".join(varint_encode(int(value)) for pair in given["limits"] for value in pair)
    fields = [(1, bytes.fromhex(given["versions"])), (3, capabilities), (5, limits)]
    return pad(tlv_encode(fields + more))


def commands_encode(known):
    return varint_encode(int(known["highest"])) + bytes.fromhex(known["key"]) + varint_encode(int(known["from"]))


def resume_encode(block):
    numbers = [varint_encode(int(block[name])) for name in ("next_seq", "durable", "oldest")]
    streams = [varint_encode(int(value)) for pair in block["streams"] for value in pair]
    head = bytes.fromhex(block["out_epoch"] + block["in_epoch"])
    log = bytes.fromhex(block["log_id"]) + varint_encode(int(block["rev"]))
    return head + b"".join(numbers) + log + b"".join(streams)
