#!/usr/bin/env python3
"""A shim to fill in: it answers `hello` and `kk.head`; SHIMS.md has the protocol.

    handfast-conformance run --shim 'python3 template.py' --case '*heads*'
"""

import json
import sys


class Refused(Exception):
    """An error of the specification: its area and its code."""


def kk_head(given):
    """The clear head of a reconnect's message 1 (HSK-078). Replace this by a call of your code."""
    message = bytes.fromhex(given["message"])
    if len(message) < 10:
        raise Refused("framing", "TRUNCATED")
    suite, mode = message[0], message[1]
    if suite != 1 or mode > 1:
        raise Refused("framing", "FIELD_VALUE")
    return {"mode": "recover" if mode else "resume", "psk_id": message[2:10].hex(), "noise": message[10:].hex()}


# Add the next operation here. A name that is missing is answered as unsupported.
OPS = {"kk.head": kk_head}
HELLO = {"ok": True, "proto": 1, "spec": "1", "name": "template", "version": "0", "roles": ["phone", "web"]}


def answer(op, given):
    if op == "hello":
        return HELLO
    if op not in OPS:
        return {"unsupported": op}
    try:
        return {"ok": True, "out": OPS[op](given)}
    except Refused as refused:
        area, code = refused.args
        return {"ok": False, "area": area, "code": code}


for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps({"id": request["id"], **answer(request["op"], request["in"])}), flush=True)
