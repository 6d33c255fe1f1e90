"""As much of JSON Schema (draft 2020-12) as the schemas of these files use."""

import re

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
KNOWN = set(
    "$schema $id $defs title description type required properties additionalProperties items minItems maxItems minimum "
    "pattern const enum allOf if then $ref".split()
)


def is_of(value, name):
    return isinstance(value, TYPES[name]) and not (name == "integer" and isinstance(value, bool))


def faults(value, schema, root, path="$"):
    """Where a value is not as its schema says."""
    assert KNOWN >= schema.keys(), KNOWN ^ schema.keys()
    if "$ref" in schema:
        yield from faults(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root, path)
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    if names and not any(is_of(value, name) for name in names):
        yield f"{path} is no {' or '.join(names)}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{path} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path} is none of {schema['enum']}"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{path} does not match {schema['pattern']}"
    if is_of(value, "integer") and value < schema.get("minimum", value):
        yield f"{path} is below {schema['minimum']}"
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{path} has {len(value)} items"
        for at, item in enumerate(value):
            yield from faults(item, schema.get("items", {}), root, f"{path}[{at}]")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value:
                yield f"{path} has no {name}"
        for name, inner in value.items():
            if name in properties:
                yield from faults(inner, properties[name], root, f"{path}.{name}")
            elif schema.get("additionalProperties", True) is False:
                yield f"{path} has a field {name}"
    for part in schema.get("allOf", []):
        if "if" not in part or not any(faults(value, part["if"], root, path)):
            yield from faults(value, part.get("then", {}), root, path)
