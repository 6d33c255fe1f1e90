#!/usr/bin/env python3
"""The independent derivation of vectors/oracle as a shim: JSON lines on standard input and output, as SHIMS.md has them."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "vectors"))

from check import OPS  # noqa: E402
from oracle.conventions import Refused, error_areas  # noqa: E402

AREAS = error_areas()
HELLO = {"proto": 1, "spec": "1", "name": "python-oracle", "version": "0.1.0", "roles": ["phone", "web", "relay"]}


def answer(op, given):
    """What the line says beside its id."""
    if op == "hello":
        return {"ok": True, "ops": sorted(OPS)} | HELLO
    if op not in OPS:
        return {"unsupported": op}
    try:
        return {"ok": True, "out": OPS[op](given)[0]}
    except Refused as refused:
        return {"ok": False, "area": AREAS.get(str(refused), "unknown"), "code": str(refused)}


def main():
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps({"id": request["id"]} | answer(request["op"], request.get("in", {}))), flush=True)


if __name__ == "__main__":
    main()
