"""Bodies of the reference application (spec/messages.md)."""

from oracle.conventions import Reader, Tlv, need, number, utf8


def media(data):
    tlv = Tlv(data, (1, 3, 5, 7))
    out = {"content": tlv.hex(1, 32), "size": number(tlv.varint(3))}
    return out | {"type": tlv.text(5, 1, 64), "name": tlv.text(7, 0, 128)}


def among(low, high):
    def read(tlv, kind):
        value = tlv.varint(kind)
        need(low <= value <= high, "FIELD_VALUE")
        return value

    return read


def byte(*allowed):
    return lambda tlv, kind: tlv.u8(kind, allowed)


def text(low, high):
    return lambda tlv, kind: tlv.text(kind, low, high)


def varint(tlv, kind):
    return number(tlv.varint(kind))


def inner_media(tlv, kind):
    return media(tlv.bytes(kind, 0, 1 << 16))


def command_ref(tlv, kind):
    reader = Reader(tlv.bytes(kind, 0, 1 << 16))
    out = {"companion": reader.take(16).hex(), "key": reader.take(16).hex()}
    reader.finish()
    return out


def history_items(tlv, kind):
    reader, out = Reader(tlv.bytes(kind, 0, 1 << 16)), []
    while reader.left():
        need(len(out) < 50, "FIELD_LENGTH")
        item = reader.take(reader.varint())
        need(1 <= len(item) <= 15000, "FIELD_LENGTH")
        out.append(item.hex())
    return out


def long_text(reader, low, high):
    value = reader.take(reader.varint())
    need(low <= len(value) <= high, "FIELD_LENGTH")
    return utf8(value)


def ascends(last, value):
    need(value != last, "DUPLICATE_FIELD")
    need(last is None or value > last, "FIELD_ORDER")


def reactions(tlv, kind):
    reader, out, last = Reader(tlv.bytes(kind, 1, 1 << 16)), [], None
    while reader.left():
        need(len(out) < 32, "FIELD_LENGTH")
        author = long_text(reader, 0, 128)
        ascends(last, author.encode())
        last = author.encode()
        out.append({"author": author, "reaction": long_text(reader, 1, 64)})
    return out


def code(tlv, kind):
    return int.from_bytes(tlv.bytes(kind, 2), "big")


# Each list: its fields by type, with name and reader; those in the last set may be absent.
COMMANDS = {
    1: ("SEND_TEXT", {1: ("chat", varint), 3: ("text", text(1, 8192)), 5: ("reply_to", varint)}, {5}),
    3: ("HISTORY", {1: ("chat", varint), 3: ("before", varint), 5: ("count", among(1, 50))}, set()),
    5: ("SEND_MEDIA", {1: ("chat", varint), 3: ("media", inner_media), 5: ("caption", text(0, 1024))}, {5}),
    7: ("MARK_READ", {1: ("chat", varint), 3: ("message", varint)}, set()),
    9: ("EDIT_TEXT", {1: ("chat", varint), 3: ("message", varint), 5: ("text", text(1, 8192))}, set()),
    11: ("DELETE", {1: ("chat", varint), 3: ("message", varint)}, set()),
    13: ("REACT", {1: ("chat", varint), 3: ("message", varint), 5: ("reaction", text(0, 64))}, set()),
}
RESULTS = {
    1: ("ACCEPTED", {1: ("message", varint), 3: ("rev", varint)}, set()),
    3: ("HISTORY_PAGE", {1: ("items", history_items), 3: ("more", byte(0, 1)), 5: ("rev", varint)}, set()),
    5: ("FAILED", {1: ("code", code)}, set()),
    7: ("DONE", {}, set()),
}
CHAT = {1: ("chat", varint), 3: ("title", text(1, 128)), 5: ("last_message", varint), 7: ("last_text", text(0, 256))}
MESSAGE = {1: ("chat", varint), 3: ("message", varint), 5: ("author", text(0, 128)), 7: ("time", varint)}
MESSAGE |= {9: ("text", text(0, 8192)), 11: ("state", byte(1, 2, 3, 4, 5, 6)), 13: ("reply_to", varint)}
MESSAGE |= {15: ("media", inner_media), 17: ("command", command_ref), 19: ("edited", byte(1)), 21: ("reactions", reactions)}
COMPANION = {1: ("companion", lambda tlv, kind: tlv.hex(kind, 16)), 3: ("serial", varint), 5: ("label", text(0, 64))}
COMPANION |= {7: ("linked", varint), 9: ("seen", varint), 11: ("status", byte(1, 2, 3))}
ITEMS = {
    1: ("CHAT", CHAT | {9: ("last_time", varint), 11: ("unread", varint)}, set()),
    3: ("MESSAGE", MESSAGE, {13, 15, 17, 19, 21}),
    5: ("DELETED", {1: ("chat", varint), 3: ("message", varint)}, {3}),
    7: ("COMPANION", COMPANION, set()),
}
KINDS = {"command": COMMANDS, "result": RESULTS, "item": ITEMS}


def now(slot, reader):
    def below(most):
        value = reader.u8()
        need(value <= most, "FIELD_VALUE")
        return value

    if slot == "now-1":
        return {"page": below(1)}
    if slot == "now-3":
        values = reader.take(2)
        need(values[0] <= 100 and values[1] <= 1, "FIELD_VALUE")
        return {"battery": values[0], "charging": values[1]}
    if slot == "now-5":
        return {"chat": number(reader.varint())}
    present = []
    while reader.left():
        need(len(present) < 100, "FIELD_LENGTH")
        chat = reader.varint()
        ascends(present[-1] if present else None, chat)
        present.append(chat)
    return {"present": [number(chat) for chat in present]}


def message_decode(given):
    kind, reader = given["kind"], Reader(bytes.fromhex(given["body"]))
    if kind not in KINDS:
        out = now(kind, reader)
        reader.finish()
        return out, {}
    number_ = reader.varint()
    need(number_ in KINDS[kind], "UNKNOWN_CRITICAL")
    name, fields, optional = KINDS[kind][number_]
    tlv, out = Tlv(reader.rest(), fields), {kind: name}
    for type_, (field, read) in fields.items():
        if type_ not in optional or tlv.has(type_):
            out[field] = read(tlv, type_)
    return out, {}
