"""Plaintexts of records and their frames (spec/records.md, spec/frames.md, spec/certificates.md)."""

from oracle.conventions import Reader, Tlv, need, number, pad


def collection(reader):
    return reader.short(1, 32).hex()


def parts(reader):
    part, last = reader.u8(), reader.u8()
    need(part <= last <= 31, "FIELD_VALUE")
    return {"part": part, "last": last}


def items(reader):
    inner, out = Reader(reader.sized(0, 16000)), []
    while inner.left():
        item = inner.take(inner.varint())
        need(1 <= len(item) <= 15000, "FIELD_LENGTH")
        out.append(item.hex())
    return {"items": out}


def varints(*names):
    return lambda reader: {name: number(reader.varint()) for name in names}


def then(*readers):
    """Field readers one after another."""

    def read(reader):
        out = {}
        for inner in readers:
            out |= inner(reader)
        return out

    return read


def named(name, read):
    return lambda reader: {name: read(reader)}


def rest(name, low, high):
    return named(name, lambda reader: reader.sized(low, high).hex())


def seq(reader):
    value = reader.varint()
    need(value >= 1, "FIELD_VALUE")
    return {"seq": number(value)}


def open_kind(reader):
    kind = reader.u8()
    need(kind in (1, 2), "FIELD_VALUE")
    return {"kind": "get" if kind == 1 else "put"}


def cursors(reader):
    out = []
    while reader.left():
        need(len(out) < 64, "FIELD_LENGTH")
        out.append([collection(reader), number(reader.varint())])
    return {"cursors": out}


def exactly(name, length):
    return named(name, lambda reader: reader.take(length).hex())


IN = named("collection", collection)
PAGE = lambda name: named(name, lambda reader: reader.short(0, 64).hex())  # noqa: E731
CODE = named("code", Reader.u16)
ANY, WEB, PHONE = ("web", "phone"), ("web",), ("phone",)
FRAMES = {
    1: ("PING", ANY, varints("id", "rev")),
    3: ("PONG", ANY, varints("id")),
    5: ("MSG", ANY, then(seq, parts, rest("body", 0, 16000))),
    7: ("SINCE", WEB, then(IN, varints("cursor"))),
    9: ("DELTA", PHONE, then(IN, varints("from", "to"), parts, items)),
    11: ("SNAPSHOT_REQUIRED", PHONE, then(IN, varints("rev"))),
    13: ("PAGE_GET", WEB, then(IN, PAGE("page"))),
    15: ("PAGE", PHONE, then(IN, PAGE("page"), PAGE("next"), varints("rev"), items)),
    17: ("DIGEST_GET", WEB, then(IN, varints("cursor"))),
    19: ("DIGEST", PHONE, then(IN, varints("cursor"), exactly("digest", 32))),
    21: ("ACK", ANY, then(varints("durable"), cursors)),
    23: ("NOW", ANY, then(varints("slot"), rest("body", 0, 1024))),
    25: ("OPEN", ANY, then(varints("id"), open_kind, rest("meta", 0, 1024))),
    27: ("DATA", ANY, then(varints("id", "offset"), rest("body", 1, 16000))),
    29: ("CREDIT", ANY, varints("id", "offset")),
    31: ("DURABLE", ANY, varints("id", "offset")),
    33: ("STOP", ANY, then(varints("id"), CODE)),
    35: ("FIN", ANY, then(varints("id"), exactly("hash", 32))),
    37: ("CONN_CREDIT", ANY, varints("offset")),
    39: ("CLOSE", ANY, then(CODE, varints("retry_ms"))),
    41: ("REVOKED", PHONE, exactly("signature", 64)),
    43: ("LEAVE", ANY, IN),
    45: ("WEB_BACK", WEB, lambda reader: {}),
}
SIZES = [128 << k for k in range(8)]


def certificate_decode(data):
    tlv = Tlv(data, (3, 7, 15, 19, 21, 23, 25, 27, 31, 33))
    tlv.u8(3, (1,))
    out = {"account": tlv.hex(7, 32), "phone_attach": tlv.hex(15, 32), "salt": tlv.hex(19, 16)}
    out |= {"companion": tlv.hex(21, 16), "serial": number(tlv.varint(23)), "grants": number(tlv.varint(25))}
    idle = tlv.varint(27)
    need(1 <= idle <= 365, "FIELD_VALUE")
    return out | {"idle_days": idle, "account_name": tlv.text(31, 1, 64), "signature": tlv.hex(33, 64)}


LINK_FRAMES = {
    1: ("LINK_CERT", ANY, named("certificate", lambda reader: certificate_decode(reader.rest()))),
    3: ("LINK_ACCEPT", ANY, exactly("signature", 64)),
    5: ("LINK_COMMIT", ANY, lambda reader: {}),
    7: ("LINK_CLOSE", ANY, CODE),
    9: ("LINK_BACK", ANY, lambda reader: {}),
}


def record_frames(plaintext, registry, sender):
    need(len(plaintext) in SIZES, "BAD_RECORD_SIZE")
    reader, out = Reader(plaintext), []
    while reader.left() and plaintext[reader.at] != 0:
        kind = reader.varint()
        body = Reader(reader.take(reader.varint()))
        if kind not in registry:
            need(kind % 2 == 0, "UNKNOWN_CRITICAL")
            continue
        name, senders, read = registry[kind]
        need(sender in senders, "FRAME_NOT_ALLOWED")
        out.append({"frame": name} | read(body))
        body.finish()
    need(not any(plaintext[reader.at :]), "BAD_PADDING")
    need(len(pad(plaintext[: reader.at])) == len(plaintext), "BAD_RECORD_SIZE")
    return out


def record_decode(given):
    return {"frames": record_frames(bytes.fromhex(given["plaintext"]), FRAMES, given["from"])}, {}


def link_record_decode(given):
    return {"frames": record_frames(bytes.fromhex(given["plaintext"]), LINK_FRAMES, "web")}, {}
