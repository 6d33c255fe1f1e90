#!/usr/bin/env python3
"""Derives every vector of v1/ a second time, from the text of spec/ alone.

Nothing in oracle/ is shared with the Rust code: the primitives are those of the `cryptography` package, the rest is
written from the specification. A case passes when output, intermediate values or error code are the same.
"""

import argparse
import hashlib
import importlib.util
import json
import re
import sys
from pathlib import Path

if importlib.util.find_spec("cryptography") is None:
    sys.exit("check.py needs the package `cryptography`: python3 -m pip install 'cryptography>=41' (in a venv where pip refuses)")

from oracle.commands import command_old_key, commands_phone, commands_web, envelope_decode, reply_read
from oracle.conventions import Refused, error_areas
from oracle.handshakes import pairing, pairing_opening, reconnect
from oracle.media import media_receive
from oracle.message import message_decode
from oracle.noise import handshake_party, noise_read, record_open
from oracle.payload import payload_decode
from oracle.qr import qr_decode
from oracle.record import link_record_decode, record_decode
from oracle.relay import relay_decode
from oracle.rules import keys_distinct, kk_head, ratchet_phone, ratchet_web, resume_verdict, version_choose, version_reply
from oracle.schema import faults as schema_faults
from oracle.signatures import accept_verify, attach_verify, certificate_verify, ed25519_verify, revoked_verify, signature_holds
from oracle.state import state_path

OPS = {
    "qr.decode": qr_decode,
    "relay.decode": relay_decode,
    "record.decode": record_decode,
    "link-record.decode": link_record_decode,
    "payload.decode": payload_decode,
    "message.decode": message_decode,
    "record.open": record_open,
    "noise.read": noise_read,
    "handshake.party": handshake_party,
    "attach.verify": attach_verify,
    "certificate.verify": certificate_verify,
    "accept.verify": accept_verify,
    "revoked.verify": revoked_verify,
    "ed25519.verify": ed25519_verify,
    "pairing": pairing,
    "pairing.opening": pairing_opening,
    "reconnect": reconnect,
    "media.receive": media_receive,
    "ratchet.phone": ratchet_phone,
    "ratchet.web": ratchet_web,
    "resume.verdict": resume_verdict,
    "envelope.decode": envelope_decode,
    "command.old-key": command_old_key,
    "commands.phone": commands_phone,
    "commands.web": commands_web,
    "reply.read": reply_read,
    "version.choose": version_choose,
    "version.reply": version_reply,
    "kk.head": kk_head,
    "keys.distinct": keys_distinct,
    "state": state_path,
}


def fault_of(case):
    """What differs between a case and this derivation, or None."""
    expected = case.get("error", {})
    try:
        out, debug = OPS[case["op"]](case["in"])
    except Refused as refused:
        if case["result"] == "valid":
            return f"refused with {refused}"
        found = {"area": error_areas().get(str(refused)), "code": str(refused)}
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


def manifest_faults(here, folder):
    """Files that are not those of the manifest beside them."""
    path = folder.parent / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    listed = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    found = {
        f"{folder.name}/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.json")
    }
    yield from (f"{path.name}: {name} is another" for name in listed.keys() | found.keys() if listed.get(name) != found.get(name))
    schema = json.loads((here / "schema" / "handfast-manifest.v1.json").read_text(encoding="utf-8"))
    yield from (f"{path.name}: {fault}" for fault in schema_faults(manifest, schema, schema))


def edge_points(path):
    """How many of the edge points of Ed25519 there are, and how many hold by CRT-001."""
    points = json.loads(path.read_text(encoding="utf-8"))
    holding = [
        point
        for point in points
        if signature_holds(bytes.fromhex(point["key"]), point["msg"].encode(), bytes.fromhex(point["sig"]))
    ]
    return len(points), len(holding)


def main():
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=here / "v1", help="the folder of the vector files")
    parser.add_argument("--spec", type=Path, default=here.parent / "spec", help="the folder of the specification")
    parser.add_argument("--self-test", action="store_true", help="change what each case expects; each must then fail")
    options = parser.parse_args()
    known, total, ids = requirements(options.spec), 0, set()
    faults = list(manifest_faults(here, options.folder))
    schema = json.loads((here / "schema" / "handfast-vectors.v1.json").read_text(encoding="utf-8"))
    for path in sorted(options.folder.glob("*.json")):
        try:
            file = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            faults.append(f"{path.name} is damaged: {error}")
            continue
        if file["count"] != len(file["cases"]) or file["topic"] != path.stem:
            faults.append(f"{path.name}: count or topic is wrong")
        faults += [f"{path.name}: {fault}" for fault in schema_faults(file, schema, schema)]
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
    points = edge_points(here / "ed25519" / "ed25519vectors.json")
    if points != (914, 43):
        faults.append(f"of {points[0]} edge points {points[1]} hold")
    for fault in faults:
        print(f"FAULT {fault}")
    print(f"{total} cases, {len(faults)} faults")
    return 1 if faults or not total else 0


if __name__ == "__main__":
    sys.exit(main())
