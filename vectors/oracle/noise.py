"""The Noise Protocol Framework, revision 34, section 5, for the two patterns of Handfast; sealed records."""

import hmac
from contextlib import contextmanager

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from oracle.conventions import LOCAL, Refused, need, sha256
from oracle.qr import canonical
from oracle.record import SIZES

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


@contextmanager
def local_code(given):
    """What is told to this device alone leaves it as HANDSHAKE_FAILED (ERR-004)."""
    try:
        yield
    except Refused as refused:
        hidden = "local" not in given and str(refused) in LOCAL
        raise Refused("HANDSHAKE_FAILED" if hidden else str(refused)) from None


def noise_read(given):
    get = lambda name: bytes.fromhex(given[name])  # noqa: E731
    with local_code(given):
        rs = get("rs") if "rs" in given else None
        party = Noise(given["protocol"], False, get("prologue"), get("e"), get("s"), get("psk"), rs)
        payload = party.read(get("message"))
    return {"payload": payload.hex(), "h": party.h.hex()}, party.variables()


def handshake_party(given):
    """A party that writes its own messages and reads those that come, until it refuses one."""
    get = lambda name: bytes.fromhex(given[name])  # noqa: E731
    initiates = given["role"] == "initiator"
    payloads, messages = ([bytes.fromhex(text) for text in given[name]] for name in ("payloads", "messages"))
    sent, read, steps = [], [], []
    with local_code(given):
        rs = get("rs") if "rs" in given else None
        party = Noise(given["protocol"], initiates, get("prologue"), get("e"), get("s"), get("psk"), rs)
        while payloads if initiates == (party.turn % 2 == 0) else messages:
            if initiates == (party.turn % 2 == 0):
                sent.append(party.write(payloads.pop(0)).hex())
            else:
                read.append(party.read(messages.pop(0)).hex())
            steps.append(party.variables())
    return {"sent": sent, "read": read, "h": party.h.hex()}, {"steps": steps}


def record_open(given):
    record = bytes.fromhex(given["record"])
    need(len(record) - 16 in SIZES, "BAD_RECORD_SIZE")
    counter = int(given["n"])
    need(counter < 2**64 - 1, "NONCE_EXHAUSTED")
    plain = unseal(bytes.fromhex(given["k"]), counter, record)
    need(plain is not None, "DECRYPT_FAILED")
    return {"plaintext": plain.hex()}, {}
