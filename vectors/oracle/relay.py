"""Relay frames (spec/relay.md)."""

from oracle.conventions import Reader, Tlv, need, number
from oracle.qr import relay_name


def versions(tlv, kind):
    return tlv.hex(kind, 1, 8)


def peer_info(tlv):
    """Fields 3, 5 and 7: the others stand only with the first."""
    if not tlv.has(3):
        need(not tlv.has(5) and not tlv.has(7), "FIELD_MISSING")
        return None
    out = {"id": tlv.hex(3, 8)}
    if tlv.has(5):
        out["same_net"] = tlv.u8(5, (0, 1)) == 1
    if tlv.has(7):
        out["origin"] = tlv.text(7, 0, 128)
    return out


def relay_hello(reader):
    tlv = Tlv(reader.rest(), (1, 3, 5, 7, 9))
    offered = versions(tlv, 1)
    need(tlv.has(3), "FIELD_MISSING")
    name = relay_name(tlv.fields[3])
    return {
        "versions": offered,
        "name": name,
        "boot": tlv.hex(5, 16),
        "frame_len_max": number(tlv.varint(7)),
        "ping_interval_ms": number(tlv.varint(9)),
    }


def relay_attach(reader):
    tlv = Tlv(reader.rest(), (1, 3, 5, 7, 9, 11, 13, 15))
    out = {"version": tlv.u8(1), "kind": tlv.u8(3, (1, 2)), "role": tlv.u8(5, (1, 2)), "mailbox": tlv.hex(7, 16)}
    if out["kind"] == 2:
        out |= {"phone_key": tlv.hex(9, 32), "web_key": tlv.hex(11, 32), "salt": tlv.hex(13, 16)}
    else:
        own, name, other = (9, "phone_key", 11) if out["role"] == 1 else (11, "web_key", 9)
        need(not tlv.has(other) and not tlv.has(13), "FIELD_VALUE")
        out[name] = tlv.hex(own, 32)
    return out | {"signature": tlv.hex(15, 64)}


def relay_attached(reader):
    tlv = Tlv(reader.rest(), (1, 3, 5, 7, 9, 11))
    out, peer = {"own": tlv.hex(1, 8)}, peer_info(tlv)
    if peer:
        out["peer"] = peer
    for kind, name in ((9, "phone_sticky"), (11, "web_sticky")):
        if tlv.has(kind):
            out[name] = tlv.hex(kind, 1, 512)
    return out


def relay_peer(reader):
    state = reader.u8()
    if state == 1:
        peer = peer_info(Tlv(reader.rest(), (3, 5, 7)))
        need(peer is not None, "FIELD_MISSING")
        return {"state": "UP", "peer": peer}
    if state == 2:
        Tlv(reader.rest(), ())
        return {"state": "DOWN"}
    need(state == 3, "FIELD_VALUE")
    return {"state": "CONTENDED", "count": number(Tlv(reader.rest(), (1,)).varint(1))}


def relay_wake(reader):
    word = reader.u8()
    need(word in (1, 2, 3, 4), "FIELD_VALUE")
    if word == 1:
        return {"word": "ASK", "handle": reader.sized(0, 256).hex()}
    if word == 3:
        return {"word": "FAILED", "class": reader.u8()}
    return {"word": "SENT" if word == 2 else "PEER_UP"}


def relay_sticky(reader):
    role = reader.u8()
    need(role in (1, 2), "FIELD_VALUE")
    return {"role": role, "value": reader.sized(0, 512).hex()}


RELAY = {
    1: ("HELLO", relay_hello),
    3: ("CHALLENGE", lambda reader: {"nonce": reader.take(32).hex()}),
    5: ("ATTACH", relay_attach),
    7: ("ATTACHED", relay_attached),
    9: ("DATA", lambda reader: {"kind": reader.u8(), "body": reader.rest().hex()}),
    11: ("PEER", relay_peer),
    13: ("WAKE", relay_wake),
    15: ("STICKY", relay_sticky),
    17: ("PING", lambda reader: {"token": reader.take(8).hex()}),
    19: ("PONG", lambda reader: {"token": reader.take(8).hex()}),
    21: ("ERROR", lambda reader: {"code": reader.u16(), "retry_ms": int.from_bytes(reader.take(4), "big")}),
}


def relay_decode(given):
    frame = bytes.fromhex(given["frame"])
    need(len(frame) <= 16512, "FIELD_LENGTH")
    reader = Reader(frame)
    kind = reader.u8()
    if kind not in RELAY:
        need(kind % 2 == 0, "UNKNOWN_CRITICAL")
        return {"ignored": kind}, {}
    name, body = RELAY[kind]
    out = {"frame": name} | body(reader)
    reader.finish()
    return out, {}
