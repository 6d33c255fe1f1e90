"""Whole pairings, reconnects and recoveries (spec/handshake.md)."""

from oracle.conventions import expand, extract, hkdf, label, need, pad, sha256, tlv_encode, u64, varint_encode, with_length
from oracle.noise import Noise, public, seal
from oracle.payload import commands_encode, payload_encode, resume_encode
from oracle.qr import code_secret, pairing_secrets, qr_encode
from oracle.signatures import certificate_signed, ed_public, link_mailbox, sign


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
    more.append((29, bytes.fromhex(given["opening"])))
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
    wq, opening = public(bytes.fromhex(given["wq"])), bytes.fromhex(given["opening"])
    secret = code_secret(wq, opening)
    relay = given["relay"].encode()
    mailbox, psk = pairing_secrets(wq, secret)
    tail = b"\0" + with_length(relay)
    prologue = label("pairing") + with_length(b"\2\0" + wq + tail) + with_length(relay) + mailbox
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
        "secret": secret.hex(),
        "qr": qr_encode(b"\2\0" + wq + secret + tail),
        "mailbox": mailbox.hex(),
        "check_code": f"{u64(hkdf(h1 + opening, label('check code'), 8)) % 10**4:04}",
        "nn": f"{u64(hkdf(h1 + opening, label('check number'), 8)) % 100:02}",
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


def pairing_opening(given):
    wq, secret, opening = (bytes.fromhex(given[name]) for name in ("wq", "secret", "opening"))
    need(code_secret(wq, opening) == secret, "HANDSHAKE_FAILED")
    return {"opens": True}, {}


def kk_payload(given, try_):
    more = [(19, int(given["try"]).to_bytes(8, "big"))] if try_ else []
    if "resume" in given:
        more.append((21, resume_encode(given["resume"])))
    if "psk_id_held" in given:
        more.append((23, bytes.fromhex(given["psk_id_held"])))
    more += [(kind, b"") for kind, name in ((25, "pending"), (27, "quarantine")) if given.get(name)]
    if "commands" in given:
        more.append((31, commands_encode(given["commands"])))
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
