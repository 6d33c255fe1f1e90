"""QR text and relay names (spec/qr.md)."""

import ipaddress
import re

from oracle.conventions import PRIME, Reader, Refused, Tlv, expand, extract, label, need, sha256

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


def code_secret(wq, opening):
    """What a code commits to its opening by."""
    return sha256(label("code") + wq + opening)


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
    need(head[0] != 1, "QR_OUTDATED")
    need(head == (2, 0), "QR_UNSUPPORTED")
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
