"""Paths through the state tables (spec/state/*.toml)."""

import re
import tomllib
from functools import lru_cache

from oracle.conventions import SPEC, Refused, error_areas


@lru_cache
def table(machine):
    """The first state, and each cell by state and event."""
    text = (SPEC / "state" / f"{machine}.toml").read_text(encoding="utf-8")
    given, cells = tomllib.loads(text), {}
    for rule in given["cell"]:
        for state in rule["state"]:
            cells |= {(state, event): rule for event in rule["event"]}
    return given["states"][0][0], cells


def code_in(word):
    """`CLOSE(X)` and `told X` name a code, if X is one."""
    found = re.fullmatch(r"[A-Z_]+\((\w+)\)|told (\w+)", word)
    name = found and (found[1] or found[2])
    return name if name in error_areas() else None


def state_path(given):
    at, cells = table(given["machine"])
    steps, codes = [], []
    for number, step in enumerate(given["steps"]):
        if number == len(given["steps"]) - 1:
            assert at == given["state"], "the way leads to the state of the case"
        rule = cells[at, step["event"]]
        assert "never" not in rule, "the event can happen"
        at = rule.get("next") or at
        says = rule.get("says", [])
        codes = [code for code in map(code_in, says) if code]
        steps.append({"next": at, "says": says})
    if codes:
        raise Refused(codes[0])
    return {"steps": steps}, {}
