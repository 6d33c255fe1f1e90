"""Integers, TLV lists, derivations (spec/conventions.md)."""

import hashlib
import hmac
import re
from functools import lru_cache
from pathlib import Path

# The text that this is written from; its registry and its state tables are read.
SPEC = Path(__file__).resolve().parent.parent.parent / "spec"
PRIME = 2**255 - 19
# What is told to this device alone (spec/errors.md).
LOCAL = {"BAD_SIGNATURE", "BAD_KEY", "KEY_REUSED"}


@lru_cache
def error_areas():
    """The area of each error, by its name, from the registry."""
    text = (SPEC / "errors.md").read_text(encoding="utf-8")
    areas = dict(re.findall(r"([1-9]) ([a-z]+)[,.]", text.split("## ", 1)[0]))
    return {name: areas[area] for area, name in re.findall(r"\| 0x0([1-9])[0-9a-f]{2} \| ([A-Z_0-9]+) ", text)}


class Refused(Exception):
    """An input is refused with a code of the registry."""


def need(condition, code):
    if not condition:
        raise Refused(code)


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


def with_length(data):
    return bytes([len(data)]) + data


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
