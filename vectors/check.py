#!/usr/bin/env python3
"""Derives every vector of v1/ a second time, from the text of spec/ alone.

Nothing here is shared with the Rust code: the primitives are those of the `cryptography` package, the rest is
written from the specification. A case passes when output, intermediate values or error code are the same.
"""

import argparse
import hashlib
import hmac
import ipaddress
import json
import re
import sys
from pathlib import Path

try:
    from cryptography.exceptions import InvalidSignature, InvalidTag
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
except ImportError:
    sys.exit("check.py needs the package `cryptography`: python3 -m pip install 'cryptography>=41'")

# The codes that these vectors use, by area (spec/errors.md).
AREAS = {
    "framing": "TRUNCATED VARINT_NOT_MINIMAL TRAILING_BYTES UNKNOWN_CRITICAL DUPLICATE_FIELD FIELD_ORDER FIELD_MISSING "
    "FIELD_LENGTH FIELD_VALUE BAD_UTF8 BAD_PADDING BAD_RECORD_SIZE FRAME_NOT_ALLOWED QR_NOT_HANDFAST QR_ALPHABET "
    "QR_UNSUPPORTED RELAY_NAME",
    "handshake": "HANDSHAKE_FAILED BAD_KEY BAD_SIGNATURE",
    "channel": "DECRYPT_FAILED NONCE_EXHAUSTED",
    "relay": "BAD_ATTACH",
}
LOCAL = {"BAD_SIGNATURE", "BAD_KEY", "KEY_REUSED"}
PRIME = 2**255 - 19


class Refused(Exception):
    """An input is refused with a code of the registry."""


def need(condition, code):
    if not condition:
        raise Refused(code)


# --- Conventions: integers, derivations (spec/conventions.md) ---


def number(value):
    """A number as the files hold it."""
    return value if value < 2**53 else str(value)


def varint_encode(value):
    for size, top in ((1, 0), (2, 0x40), (4, 0x80), (8, 0xC0)):
        if value < 1 << (8 * size - 2):
            data = bytearray(value.to_bytes(size, "big"))
            data[0] |= top
            return bytes(data)
    raise ValueError(value)


def label(name):
    return b"handfast/1 " + name.encode()


def extract(salt, ikm):
    return hmac.digest(salt, ikm, "sha256")


def expand(prk, info, length):
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        out, counter = out + block, counter + 1
    return out[:length]


def hkdf(ikm, info, length):
    return expand(extract(b"", ikm), info, length)


def u64(data):
    return int.from_bytes(data[:8], "big")


def sha256(data):
    return hashlib.sha256(data).digest()


class Reader:
    """Reads an item from front to back; every way to run out of bytes is TRUNCATED."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, length):
        need(length <= self.left(), "TRUNCATED")
        self.at += length
        return self.data[self.at - length : self.at]

    def u8(self):
        return self.take(1)[0]

    def u16(self):
        return int.from_bytes(self.take(2), "big")

    def varint(self):
        need(self.left() > 0, "TRUNCATED")
        size = 1 << (self.data[self.at] >> 6)
        value = int.from_bytes(self.take(size), "big") & ((1 << (8 * size - 2)) - 1)
        need(len(varint_encode(value)) == size, "VARINT_NOT_MINIMAL")
        return value

    def rest(self):
        return self.take(self.left())

    def sized(self, low, high):
        """The rest, of a length within limits."""
        need(low <= self.left() <= high, "FIELD_LENGTH")
        return self.rest()

    def short(self, low, high):
        """`len u8 | x`."""
        value = self.take(self.u8())
        need(low <= len(value) <= high, "FIELD_LENGTH")
        return value

    def finish(self):
        need(self.left() == 0, "TRAILING_BYTES")


# --- TLV lists ---


class Tlv:
    """A list whose grammar was checked; its fields are then asked for in ascending order."""

    def __init__(self, data, known, padded=False):
        reader, last, self.fields = Reader(data), -1, {}
        while reader.left() and not (padded and data[reader.at] == 0):
            kind = reader.varint()
            need(kind != last, "DUPLICATE_FIELD")
            need(kind > last, "FIELD_ORDER")
            need(kind != 0, "FIELD_VALUE")
            need(kind % 2 == 0 or kind in known, "UNKNOWN_CRITICAL")
            last = kind
            self.fields[kind] = reader.take(reader.varint())
        self.length = reader.at
        need(not any(data[reader.at :]), "BAD_PADDING")

    def has(self, kind):
        return kind in self.fields

    def bytes(self, kind, low, high=None):
        need(kind in self.fields, "FIELD_MISSING")
        value = self.fields[kind]
        need(low <= len(value) <= (low if high is None else high), "FIELD_LENGTH")
        return value

    def hex(self, kind, low, high=None):
        return self.bytes(kind, low, high).hex()

    def u8(self, kind, allowed=None):
        value = self.bytes(kind, 1)[0]
        need(allowed is None or value in allowed, "FIELD_VALUE")
        return value

    def varint(self, kind):
        need(kind in self.fields, "FIELD_MISSING")
        reader = Reader(self.fields[kind])
        try:
            value = reader.varint()
        except Refused as refused:
            raise Refused("FIELD_LENGTH" if str(refused) == "TRUNCATED" else str(refused)) from None
        need(reader.left() == 0, "FIELD_LENGTH")
        return value

    def text(self, kind, low, high):
        return utf8(self.bytes(kind, low, high))


def utf8(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("BAD_UTF8") from None


def tlv_encode(fields):
    return b"".join(varint_encode(kind) + varint_encode(len(value)) + value for kind, value in fields)


def pad(data):
    size = 128
    while size < len(data):
        size *= 2
    return data + bytes(size - len(data))


# --- QR (spec/qr.md) ---

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def relay_name(data):
    need(1 <= len(data) <= 64, "RELAY_NAME")
    try:
        name = data.decode("ascii")
    except UnicodeDecodeError:
        raise Refused("RELAY_NAME") from None
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([1-9][0-9]{0,4}))?", name)
    need(match and (match[2] is None or int(match[2]) <= 65535), "RELAY_NAME")
    host = match[1]
    if host.startswith("["):
        try:
            need(host == host.lower() and "%" not in host, "RELAY_NAME")
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise Refused("RELAY_NAME") from None
        return name
    labels = host.split(".")
    good = all(re.fullmatch(r"(?!-)[a-z0-9-]{1,63}(?<!-)", part) for part in labels)
    need(good, "RELAY_NAME")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        four = re.fullmatch(r"((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.|$)){4}", host)
        need(four and len(labels) == 4, "RELAY_NAME")
    return name


def canonical(key):
    return int.from_bytes(key, "little") < PRIME


def pairing_secrets(wq, secret):
    prk = extract(label("pair"), secret)
    return expand(prk, label("pair mailbox") + wq, 16), expand(prk, label("pair psk") + wq, 32)


def qr_decode(given):
    text = given["text"]
    need(text.startswith("HF1*"), "QR_NOT_HANDFAST")
    code = text[4:]
    need(len(code) <= (108 * 8 + 4) // 5, "FIELD_LENGTH")
    need(all(letter in ALPHABET for letter in code), "QR_ALPHABET")
    bits = "".join(format(ALPHABET.index(letter), "05b") for letter in code)
    spare = len(bits) % 8
    need(spare < 5 and "1" not in bits[len(bits) - spare :], "QR_ALPHABET")
    payload = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - spare, 8))
    reader = Reader(payload)
    head = (reader.u8(), reader.u8())
    need(head == (1, 0), "QR_UNSUPPORTED")
    wq = reader.take(32)
    need(canonical(wq), "FIELD_VALUE")
    secret = reader.take(32)
    relay = reader.u8()
    out = {"wq": wq.hex(), "secret": secret.hex(), "relay": relay}
    if relay == 0:
        host = reader.take(reader.u8())
        need(1 <= len(host) <= 40, "RELAY_NAME")
        out["host"] = relay_name(host)
    Tlv(reader.rest(), ())
    mailbox, psk = pairing_secrets(wq, secret)
    out |= {"without_secret": (payload[:34] + payload[66:]).hex(), "mailbox": mailbox.hex(), "psk": psk.hex()}
    return out, {}


def qr_encode(payload):
    bits = "".join(format(byte, "08b") for byte in payload)
    bits += "0" * (-len(bits) % 5)
    return "HF1*" + "".join(ALPHABET[int(bits[at : at + 5], 2)] for at in range(0, len(bits), 5))


# --- Relay frames (spec/relay.md) ---


def versions(tlv, kind):
    return tlv.hex(kind, 1, 8)


def peer_info(tlv):
    """Fields 3, 5 and 7: the second stands with the first and only then, the third only with it."""
    if not tlv.has(3):
        need(not tlv.has(5) and not tlv.has(7), "FIELD_MISSING")
        return None
    need(tlv.has(5), "FIELD_MISSING")
    out = {"id": tlv.hex(3, 8), "same_net": tlv.u8(5, (0, 1)) == 1}
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


# --- Records and their frames (spec/records.md, spec/frames.md, spec/certificates.md) ---


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


# --- Handshake payloads (spec/handshake.md, spec/delivery.md) ---


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


PAYLOADS = {
    "xk1": (1, 3, 5),
    "xk2": (1, 3, 5, 7, 9, 11, 13, 15, 17),
    "xk3": (),
    "kk1": (1, 3, 5, 19, 21, 23, 25),
    "kk2": (1, 3, 5, 21, 27),
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
    return out, {}


def payload_encode(given, more):
    """The terms, then further fields, padded."""
    capabilities = b"".join(varint_encode(int(value)) for value in given["capabilities"])
    limits = b"".join(varint_encode(int(value)) for pair in given["limits"] for value in pair)
    fields = [(1, bytes.fromhex(given["versions"])), (3, capabilities), (5, limits)]
    return pad(tlv_encode(fields + more))


def resume_encode(block):
    numbers = [varint_encode(int(block[name])) for name in ("next_seq", "durable", "oldest")]
    streams = [varint_encode(int(value)) for pair in block["streams"] for value in pair]
    head = bytes.fromhex(block["out_epoch"] + block["in_epoch"])
    log = bytes.fromhex(block["log_id"]) + varint_encode(int(block["rev"]))
    return head + b"".join(numbers) + log + b"".join(streams)


# --- Noise, revision 34 (The Noise Protocol Framework, section 5) ---

PATTERNS = {
    "XKpsk0": ("r", ["psk e es", "e ee", "s se"]),
    "KKpsk0": ("ir", ["psk e es ss", "e ee se"]),
}


def nonce(counter):
    return bytes(4) + counter.to_bytes(8, "little")


def seal(key, counter, data, ad=b""):
    return ChaCha20Poly1305(key).encrypt(nonce(counter), data, ad)


def unseal(key, counter, data, ad=b""):
    try:
        return ChaCha20Poly1305(key).decrypt(nonce(counter), data, ad)
    except InvalidTag:
        return None


def public(secret):
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def exchange(secret, remote):
    try:
        return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(remote))
    except ValueError:
        raise Refused("BAD_KEY") from None  # an all-zero result


class Noise:
    """One party of a handshake."""

    def __init__(self, protocol, initiates, prologue, e, s, psk, rs=None):
        known, self.messages = PATTERNS[protocol.split("_")[1]]
        self.initiates, self.e, self.s, self.psk, self.rs, self.re = initiates, e, s, psk, rs, None
        name = protocol.encode()
        self.h = name.ljust(32, b"\0") if len(name) <= 32 else sha256(name)
        self.ck, self.k, self.n, self.turn = self.h, None, 0, 0
        self.mix_hash(prologue)
        if rs is not None:
            need(canonical(rs) and rs != public(s), "BAD_KEY")
        for party, theirs in (("i", not initiates), ("r", initiates)):
            if party in known:
                self.mix_hash(self.rs if theirs else public(self.s))

    def mix_hash(self, data):
        self.h = sha256(self.h + data)

    def outputs(self, data):
        temp = hmac.digest(self.ck, data, "sha256")
        first = hmac.digest(temp, b"\1", "sha256")
        second = hmac.digest(temp, first + b"\2", "sha256")
        return first, second, hmac.digest(temp, second + b"\3", "sha256")

    def mix_key(self, data):
        self.ck, self.k, _ = self.outputs(data)
        self.n = 0

    def mix(self, token):
        if token == "psk":
            self.ck, temp, self.k = self.outputs(self.psk)
            self.mix_hash(temp)
            self.n = 0
            return
        local = self.e if token[0 if self.initiates else 1] == "e" else self.s
        remote = self.re if token[1 if self.initiates else 0] == "e" else self.rs
        self.mix_key(exchange(local, remote))

    def encrypt(self, data):
        if self.k is not None:
            data = seal(self.k, self.n, data, self.h)
            self.n += 1
        self.mix_hash(data)
        return data

    def decrypt(self, data):
        plain = data
        if self.k is not None:
            plain = unseal(self.k, self.n, data, self.h)
            need(plain is not None, "HANDSHAKE_FAILED")
            self.n += 1
        self.mix_hash(data)
        return plain

    def write(self, payload):
        out = b""
        for token in self.messages[self.turn].split():
            if token == "e":
                out += public(self.e)
                self.mix_hash(public(self.e))
                self.mix_key(public(self.e))  # both patterns have a psk
            elif token == "s":
                out += self.encrypt(public(self.s))
            else:
                self.mix(token)
        self.turn += 1
        return out + self.encrypt(payload)

    def read(self, message):
        need(len(message) <= 4096, "FIELD_LENGTH")
        tokens = self.messages[self.turn].split()
        need(len(message) >= 32 * tokens.count("e") + 48 * tokens.count("s") + 16, "TRUNCATED")
        for token in tokens:
            if token == "e":
                self.re, message = message[:32], message[32:]
                need(canonical(self.re), "BAD_KEY")
                self.mix_hash(self.re)
                self.mix_key(self.re)
            elif token == "s":
                self.rs, message = self.decrypt(message[:48]), message[48:]
                need(canonical(self.rs) and self.rs != public(self.s), "BAD_KEY")
            else:
                self.mix(token)
        self.turn += 1
        return self.decrypt(message)

    def variables(self):
        return {"ck": self.ck.hex(), "h": self.h.hex(), "k": self.k.hex(), "n": self.n}


def noise_read(given):
    get = lambda name: bytes.fromhex(given[name])  # noqa: E731
    try:
        rs = get("rs") if "rs" in given else None
        party = Noise(given["protocol"], False, get("prologue"), get("e"), get("s"), get("psk"), rs)
        payload = party.read(get("message"))
    except Refused as refused:
        hidden = "local" not in given and str(refused) in LOCAL
        raise Refused("HANDSHAKE_FAILED" if hidden else str(refused)) from None
    return {"payload": payload.hex(), "h": party.h.hex()}, party.variables()


def record_open(given):
    record = bytes.fromhex(given["record"])
    need(len(record) - 16 in SIZES, "BAD_RECORD_SIZE")
    counter = int(given["n"])
    need(counter < 2**64 - 1, "NONCE_EXHAUSTED")
    plain = unseal(bytes.fromhex(given["k"]), counter, record)
    need(plain is not None, "DECRYPT_FAILED")
    return {"plaintext": plain.hex()}, {}


# --- Signatures (spec/certificates.md, spec/relay.md) ---

# The y of the points of order 1, 2, 4 and 8, and those of them that have a second encoding.
Y8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
SMALL_ORDER = {0, 1, PRIME - 1, PRIME, PRIME + 1, Y8, PRIME - Y8}


def small_order(point):
    return int.from_bytes(point, "little") & (2**255 - 1) in SMALL_ORDER


def signature_holds(key, signed, signature):
    """The strict rule: cofactorless, S < L, neither A nor R of small order."""
    if small_order(key) or small_order(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
        return True
    except (InvalidSignature, ValueError):
        return False


def sign(secret, data):
    return Ed25519PrivateKey.from_private_bytes(secret).sign(data)


def ed_public(secret):
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def with_length(data):
    return bytes([len(data)]) + data


def link_mailbox(phone, web, salt):
    return sha256(label("mailbox") + phone + web + salt)[:16]


def attach_verify(given):
    frame = bytes.fromhex(given["frame"])
    attach, _ = relay_decode({"frame": given["frame"]})
    need(frame[0] == 5, "NOT_ATTACHED")
    get = lambda name: bytes.fromhex(attach[name])  # noqa: E731
    signed = label("attach") + with_length(given["relay"].encode()) + bytes([attach["kind"], attach["role"]])
    signed += get("mailbox") + bytes.fromhex(given["nonce"])
    if attach["kind"] == 2:
        need(link_mailbox(get("phone_key"), get("web_key"), get("salt")) == get("mailbox"), "BAD_ATTACH")
    role = "phone" if attach["role"] == 1 else "web"
    need(signature_holds(get(role + "_key"), signed, get("signature")), "BAD_ATTACH")
    return {"mailbox": attach["mailbox"], "role": role}, {"signed": signed.hex()}


def certificate_signed(cert, h, ps, wd, we, web_attach, relay):
    get = lambda name: bytes.fromhex(cert[name])  # noqa: E731
    counts = {kind: varint_encode(int(cert[name])) for kind, name in ((23, "serial"), (25, "grants"), (27, "idle_days"))}
    fields = {
        1: b"handfast/1 certificate",
        3: b"\1",
        5: h,
        7: get("account"),
        9: ps,
        11: wd,
        13: we,
        15: get("phone_attach"),
        17: web_attach,
        19: get("salt"),
        21: get("companion"),
        29: relay.encode(),
    }
    return tlv_encode(sorted((fields | counts).items()))


def certificate_verify(given):
    cert = certificate_decode(bytes.fromhex(given["certificate"]))
    known = [bytes.fromhex(given[name]) for name in ("h", "ps", "wd", "we", "web_attach")]
    signed = certificate_signed(cert, *known, given["relay"])
    signature = bytes.fromhex(cert["signature"])
    need(signature_holds(bytes.fromhex(cert["account"]), signed, signature), "BAD_SIGNATURE")
    return {"hash": sha256(signed + signature).hex()}, {"signed": signed.hex()}


def accept_verify(given):
    signed = label("accept") + bytes.fromhex(given["hash"] + given["h"])
    holds = signature_holds(bytes.fromhex(given["we"]), signed, bytes.fromhex(given["signature"]))
    need(holds, "BAD_SIGNATURE")
    return {"accepted": True}, {"signed": signed.hex()}


def revoked_verify(given):
    signed = label("revoked") + bytes.fromhex(given["companion"]) + int(given["serial"]).to_bytes(8, "big")
    signed += bytes.fromhex(given["mailbox"])
    holds = signature_holds(bytes.fromhex(given["account"]), signed, bytes.fromhex(given["signature"]))
    need(holds, "BAD_SIGNATURE")
    return {"revoked": True}, {"signed": signed.hex()}


# --- Whole handshakes ---


def data_record(key, counter, frames):
    """A DATA frame of kind 7 with a sealed record."""
    return (b"\x09\x07" + seal(key, counter, pad(frames))).hex()


def frame(kind, body):
    return varint_encode(kind) + varint_encode(len(body)) + body


def epochs(h):
    return {f"epoch_{way}": hkdf(h, label("epoch") + way.encode(), 16).hex() for way in ("w2p", "p2w")}


def psk_id(psk, mailbox):
    return hkdf(psk, label("id") + mailbox, 8)


def pairing_messages(given, prologue, psk, steps):
    phone, web = ({key: bytes.fromhex(value) for key, value in given[side].items()} for side in ("phone", "web"))
    wq = bytes.fromhex(given["wq"])
    name = "Noise_XKpsk0_25519_ChaChaPoly_SHA256"
    initiator = Noise(name, True, prologue, phone["e"], phone["ps"], psk, public(wq))
    responder = Noise(name, False, prologue, web["e"], wq, psk)
    claims = given["payload2"]
    more = [(7, public(web["wd"])), (9, ed_public(web["we"])), (11, ed_public(web["attach"]))]
    more += [(13, claims["label"].encode()), (15, claims["origin"].encode()), (17, varint_encode(claims["grants"]))]
    payloads = [payload_encode(given["payload1"], []), payload_encode(claims, more), pad(b"")]
    sides, messages = [initiator, responder], []
    for payload in payloads:
        messages.append(sides[0].write(payload))
        assert sides[1].read(messages[-1]) == payload
        assert sides[0].variables() == sides[1].variables()
        steps.append(sides[0].variables())
        sides.reverse()
    return messages, initiator


def pairing(given):
    wq, secret = public(bytes.fromhex(given["wq"])), bytes.fromhex(given["secret"])
    relay = given["relay"].encode()
    mailbox, psk = pairing_secrets(wq, secret)
    tail = b"\0" + with_length(relay)
    prologue = label("pairing") + with_length(b"\1\0" + wq + tail) + with_length(relay) + mailbox
    prologue += bytes.fromhex(given["phone_id"] + given["web_id"])
    steps = []
    messages, party = pairing_messages(given, prologue, psk, steps)
    h1, h = bytes.fromhex(steps[0]["h"]), party.h
    k_p2w, k_w2p, rs = party.outputs(b"")
    phone, web = ({key: bytes.fromhex(value) for key, value in given[side].items()} for side in ("phone", "web"))
    cert = given["terms"] | {
        "account": ed_public(phone["account"]).hex(),
        "phone_attach": ed_public(phone["attach"]).hex(),
    }
    we, web_attach = ed_public(web["we"]), ed_public(web["attach"])
    known = (h, public(phone["ps"]), public(web["wd"]), we, web_attach)
    signed = certificate_signed(cert, *known, given["relay"])
    signature = sign(phone["account"], signed)
    counts = {kind: varint_encode(int(cert[name])) for kind, name in ((23, "serial"), (25, "grants"), (27, "idle_days"))}
    names = ((7, "account"), (15, "phone_attach"), (19, "salt"), (21, "companion"))
    body = {kind: bytes.fromhex(cert[name]) for kind, name in names} | counts
    body |= {3: b"\1", 31: cert["account_name"].encode(), 33: signature}
    hash_ = sha256(signed + signature)
    accept = label("accept") + hash_ + h
    link = link_mailbox(ed_public(phone["attach"]), web_attach, bytes.fromhex(cert["salt"]))
    x = extract(psk, rs)
    resume = expand(x, label("resume"), 32)
    out = {
        "qr": qr_encode(b"\1\0" + wq + secret + tail),
        "mailbox": mailbox.hex(),
        "check_code": f"{u64(hkdf(h1, label('check'), 8)) % 10**4:04}",
        "nn": f"{u64(hkdf(h, label('confirm'), 8)) % 100:02}",
        "h": h.hex(),
        "cert_record": data_record(k_p2w, 0, frame(1, tlv_encode(sorted(body.items())))),
        "accept_record": data_record(k_w2p, 0, frame(3, sign(web["we"], accept))),
        "commit_record": data_record(k_p2w, 1, frame(5, b"")),
        "link_mailbox": link.hex(),
        "resume_psk": resume.hex(),
        "resume_psk_id": psk_id(resume, link).hex(),
    }
    out |= {name.replace(" ", "_"): expand(x, label(name), 32).hex() for name in ("recovery psk", "tombstone seal")}
    out |= {"goodbye_seal": expand(x, label("goodbye seal"), 32).hex()} | epochs(h)
    out |= {f"message{at + 1}": message.hex() for at, message in enumerate(messages)}
    debug = {"psk": psk.hex(), "prologue": prologue.hex(), "h1": h1.hex(), "rs": rs.hex(), "x": x.hex()}
    debug |= {f"after{at + 1}": step for at, step in enumerate(steps)}
    debug |= {"k_p2w": k_p2w.hex(), "k_w2p": k_w2p.hex(), "certificate_signed": signed.hex()}
    return out, debug | {"certificate_hash": hash_.hex(), "accept_signed": accept.hex()}


def kk_payload(given, try_):
    more = [(19, int(given["try"]).to_bytes(8, "big"))] if try_ else []
    if "resume" in given:
        more.append((21, resume_encode(given["resume"])))
    if "psk_id_held" in given:
        more.append((23, bytes.fromhex(given["psk_id_held"])))
    more += [(kind, b"") for kind, name in ((25, "pending"), (27, "quarantine")) if given.get(name)]
    return payload_encode(given, more)


def reconnect(given):
    get = lambda name: bytes.fromhex(given[name])  # noqa: E731
    recovers = given["mode"] == "recover"
    ident = psk_id(get("psk"), get("mailbox"))
    head = bytes([1, int(recovers)]) + ident
    relay = with_length(given["relay"].encode())
    prologue = label("link") + get("mailbox") + get("web_id") + get("phone_id") + relay + head
    name = "Noise_KKpsk0_25519_ChaChaPoly_SHA256"
    web = Noise(name, True, prologue, get("web_e"), get("wd"), get("psk"), public(get("ps")))
    phone = Noise(name, False, prologue, get("phone_e"), get("ps"), get("psk"), public(get("wd")))
    payload1, payload2 = kk_payload(given["payload1"], True), kk_payload(given["payload2"], False)
    message1 = web.write(payload1)
    assert phone.read(message1) == payload1
    after1 = phone.variables()
    message2 = phone.write(payload2)
    assert web.read(message2) == payload2
    k_w2p, k_p2w, rs = web.outputs(b"")
    x = extract(get("psk"), rs)
    next_ = expand(x, label("resume"), 32)
    out = {"psk_id": ident.hex(), "message1": (head + message1).hex(), "message2": message2.hex()}
    out |= {"h": web.h.hex(), "confirm_record": data_record(k_w2p, 0, b"")} | epochs(web.h)
    if recovers:
        in_step = given["payload1"]["psk_id_held"] in given["phone_ids"]
        out["close"] = "IN_STEP" if in_step else "DIVERGED"
        answer = frame(39, (0x0302 if in_step else 0x0303).to_bytes(2, "big") + b"\0")
    else:
        out |= {"next_psk": next_.hex(), "next_psk_id": psk_id(next_, get("mailbox")).hex()}
        answer = frame(1, b"\1\0")
    out["answer_record"] = data_record(k_p2w, 0, answer)
    debug = {"prologue": prologue.hex(), "after1": after1, "after2": web.variables(), "rs": rs.hex(), "x": x.hex()}
    return out, debug | {"k_w2p": k_w2p.hex(), "k_p2w": k_p2w.hex()}


# --- The run ---

OPS = {
    "qr.decode": qr_decode,
    "relay.decode": relay_decode,
    "record.decode": record_decode,
    "link-record.decode": link_record_decode,
    "payload.decode": payload_decode,
    "record.open": record_open,
    "noise.read": noise_read,
    "attach.verify": attach_verify,
    "certificate.verify": certificate_verify,
    "accept.verify": accept_verify,
    "revoked.verify": revoked_verify,
    "pairing": pairing,
    "reconnect": reconnect,
}


def fault_of(case):
    """What differs between a case and this derivation, or None."""
    expected = case.get("error", {})
    try:
        out, debug = OPS[case["op"]](case["in"])
    except Refused as refused:
        if case["result"] == "valid":
            return f"refused with {refused}"
        area = next((area for area, codes in AREAS.items() if str(refused) in codes.split()), None)
        found = {"area": area, "code": str(refused)}
        return None if found == expected else f"refused with {found}, not {expected}"
    if case["result"] != "valid":
        return f"accepted, not refused with {expected}"
    for name, found, said in (("out", out, case.get("out", {})), ("debug", debug, case.get("debug", {}))):
        differing = sorted(key for key in found.keys() | said.keys() if found.get(key) != said.get(key))
        if differing:
            return f"{name} differs in {', '.join(differing)}"
    return None


def altered(value):
    """The same value with one digit, letter or flag changed."""
    if isinstance(value, dict):
        first = next(iter(value))
        return value | {first: altered(value[first])}
    if isinstance(value, list):
        return [*value, 1]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return ("1" if value[:1] == "0" else "0") + value[1:]


def unnoticed(case):
    """Changes to what a case expects that would pass: there must be none."""
    if case["result"] == "invalid":
        wrong = [{"error": {"area": "link", "code": "REKEY"}}, {"result": "valid"}]
    else:
        wrong = [{"result": "invalid"}]
        for part in ("out", "debug"):
            wrong += [{part: case[part] | {key: altered(value)}} for key, value in case.get(part, {}).items()]
    return [change for change in wrong if fault_of(case | change) is None]


def requirements(spec):
    """Every id of the specification."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(spec.glob("*.md")))
    return set(re.findall(r"\[([A-Z]{3}-[0-9]{3})\]", text))


def main():
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=here / "v1", help="the folder of the vector files")
    parser.add_argument("--spec", type=Path, default=here.parent / "spec", help="the folder of the specification")
    parser.add_argument("--self-test", action="store_true", help="change what each case expects; each must then fail")
    options = parser.parse_args()
    known, faults, total, ids = requirements(options.spec), [], 0, set()
    for path in sorted(options.folder.glob("*.json")):
        file = json.loads(path.read_text(encoding="utf-8"))
        if file["count"] != len(file["cases"]) or file["topic"] != path.stem:
            faults.append(f"{path.name}: count or topic is wrong")
        for case in file["cases"]:
            total += 1
            fault = fault_of(case)
            unknown = set(case["reqs"]) - known
            if fault:
                faults.append(f"{case['id']}: {fault}")
            if unknown:
                faults.append(f"{case['id']}: the specification has no {', '.join(sorted(unknown))}")
            if case["id"] in ids:
                faults.append(f"{case['id']}: the id stands twice")
            ids.add(case["id"])
            if options.self_test and not fault:
                faults += [f"{case['id']}: {change} goes unnoticed" for change in unnoticed(case)]
        print(f"{len(file['cases']):4} {file['topic']}")
    for fault in faults:
        print(f"FAULT {fault}")
    print(f"{total} cases, {len(faults)} faults")
    return 1 if faults or not total else 0


if __name__ == "__main__":
    sys.exit(main())
