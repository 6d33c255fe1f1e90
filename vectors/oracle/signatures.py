"""Signatures (spec/certificates.md, spec/relay.md)."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from oracle.conventions import PRIME, label, need, sha256, tlv_encode, varint_encode, with_length
from oracle.record import certificate_decode
from oracle.relay import relay_decode

# The y of the points of order 1, 2, 4 and 8.
Y8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
SMALL_ORDER = {0, 1, PRIME - 1, Y8, PRIME - Y8}


def allowed(point):
    """Canonical, and not of small order."""
    y = int.from_bytes(point, "little") & (2**255 - 1)
    return y < PRIME and y not in SMALL_ORDER


def signature_holds(key, signed, signature):
    """The strict rule: cofactorless, S < L, A and R canonical and not of small order."""
    if not (allowed(key) and allowed(signature[:32])):
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


def ed25519_verify(given):
    key, signature, message = (bytes.fromhex(given[name]) for name in ("key", "signature", "message"))
    need(signature_holds(key, message, signature), "BAD_SIGNATURE")
    return {"holds": True}, {}
