"""Ratchet, recovery, resume, versions, heads, distinct keys (spec/handshake.md, spec/delivery.md)."""

from oracle.conventions import Reader, Refused, need

LARGEST = 2**64 - 1


def ratchet_phone(given):
    current, candidate, last = given["current"], given.get("candidate"), int(given["last_try"])
    known_at_message1, steps, diverged = False, [], False
    for step in given["steps"]:
        diverged = False
        if "message1" in step:
            message = step["message1"]
            try_, under = int(message["try"]), message["id"]
            if under not in (current, candidate):
                answer = "UNKNOWN_KEY"
            elif try_ == LARGEST or try_ == last:
                answer = "SILENCE"
            elif try_ < last:
                answer = "QUARANTINE"
            else:
                answer = "ANSWER"
                current, candidate, last = under, message["next"], try_
        elif "confirm" in step:
            answer, current, candidate = "CONFIRMED", candidate or current, None
        elif "recover" in step:
            answer, known_at_message1 = "ANSWER", step["recover"]["held"] in (current, candidate)
        else:
            in_step = known_at_message1 or step["recover_confirm"]["held"] in (current, candidate)
            answer, diverged = "IN_STEP" if in_step else "DIVERGED", not in_step
        slots = {"current": current} | ({"candidate": candidate} if candidate else {})
        steps.append({"answer": answer, "last_try": str(last)} | slots)
    need(not diverged, "DIVERGED")
    return {"steps": steps}, {}


def ratchet_web(given):
    try_ = int(given["last_try"]) + 1
    need(try_ < LARGEST, "TRY_EXHAUSTED")
    return {"try": str(try_)}, {}


# Which side a reason shows to be put back (RES-033, RES-040).
PUT_BACK = {
    "LACK_W2P": "phone",
    "FUTURE_P2W": "phone",
    "LOG_BACK": "phone",
    "FUTURE_W2P": "web",
    "LACK_P2W": "web",
}


def resume_verdict(given):
    web, phone = given["web"], given["phone"]
    get = lambda block, name: int(block[name])  # noqa: E731
    reasons = [
        ("EPOCH_W2P", web["out_epoch"] != phone["in_epoch"]),
        ("EPOCH_P2W", phone["out_epoch"] != web["in_epoch"]),
        ("LACK_W2P", get(web, "oldest") > get(phone, "durable") + 1),
        ("FUTURE_W2P", get(phone, "durable") >= get(web, "next_seq")),
        ("LACK_P2W", get(phone, "oldest") > get(web, "durable") + 1),
        ("FUTURE_P2W", get(web, "durable") >= get(phone, "next_seq")),
        ("LOG_BACK", web["log_id"] == phone["log_id"] and get(web, "rev") > get(phone, "rev")),
    ]
    for reason, holds in reasons:
        if holds:
            who = PUT_BACK.get(reason)
            return {"verdict": "RESET", "reason": reason} | ({"put_back": who} if who else {}), {}
    return {"verdict": "RESUME"}, {}


def version_choose(given):
    common = set(bytes.fromhex(given["own"])) & set(bytes.fromhex(given["offered"]))
    need(common, "NO_COMMON_VERSION")
    return {"version": max(common)}, {}


def version_reply(given):
    version = bytes.fromhex(given["version"])
    need(version in bytes.fromhex(given["offered"]), "NO_COMMON_VERSION")
    return {"version": version[0]}, {}


def kk_head(given):
    reader = Reader(bytes.fromhex(given["message"]))
    suite, mode, psk_id = reader.u8(), reader.u8(), reader.take(8)
    need(suite == 1 and mode in (0, 1), "FIELD_VALUE")
    return {"mode": ("resume", "recover")[mode], "psk_id": psk_id.hex(), "noise": reader.rest().hex()}, {}


def keys_distinct(given):
    keys = given["keys"]
    if len(set(keys)) < len(keys) or set(keys) & set(given["in_use"]):
        raise Refused("KEY_REUSED")
    return {"distinct": True}, {}
