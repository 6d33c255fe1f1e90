"""Asks the shim that is named on the command line, and answers some cases wrongly."""

import json
import subprocess
import sys

right = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
for line in sys.stdin:
    right.stdin.write(line)
    right.stdin.flush()
    answer = json.loads(right.stdout.readline())
    if answer["id"] == 2 and answer["ok"]:
        answer["out"]["name"] = "hello from a wrong shim"
    if answer.get("code") in ("TRUNCATED", "FIELD_VALUE", "UNKNOWN_CRITICAL"):
        answer |= {"area": "limit", "code": "LIMIT"}
    print(json.dumps(answer), flush=True)
