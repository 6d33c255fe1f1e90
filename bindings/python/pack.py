"""Packs a folder as a wheel: `pack.py FOLDER VERSION OUT`.

The folder has the package `handfast` with its library, `README.md`, and the texts of licences. A wheel is a zip of these files, with
three texts about them; the same files give the same bytes.
"""

import base64
import hashlib
import sys
import sysconfig
import zipfile
from pathlib import Path

NAME = "handfast"
#: No date of this machine: the first one that a zip can hold.
DATE = (1980, 1, 1, 0, 0, 0)
METADATA = """Metadata-Version: 2.1
Name: handfast
Version: {version}
Summary: A phone or a companion of Handfast: commands that run exactly once, over an end-to-end encrypted link
License: MIT OR Apache-2.0
Project-URL: Repository, https://github.com/handfast/handfast
Requires-Python: >=3.9
Requires-Dist: websockets>=14
Description-Content-Type: text/markdown

{readme}"""
WHEEL = """Wheel-Version: 1.0
Generator: handfast
Root-Is-Purelib: false
Tag: {tag}
"""


def files(folder: Path, version: str, tag: str) -> dict:
    """Returns what the wheel has, by name."""
    about = f"{NAME}-{version}.dist-info"
    own = sorted(path for path in (folder / NAME).iterdir() if path.is_file())
    found = {f"{NAME}/{path.name}": path.read_bytes() for path in own}
    readme = (folder / "README.md").read_text()
    found[f"{about}/METADATA"] = METADATA.format(version=version, readme=readme).encode()
    found[f"{about}/WHEEL"] = WHEEL.format(tag=tag).encode()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name != "README.md":
            found[f"{about}/licenses/{path.name}"] = path.read_bytes()
    return found


def record(found: dict, about: str) -> bytes:
    """Returns the list of all files with their hashes."""
    lines = []
    for name, data in found.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}\n")
    return "".join([*lines, f"{about}/RECORD,,\n"]).encode()


def main() -> None:
    folder, version, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    tag = "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")
    found = files(folder, version, tag)
    about = f"{NAME}-{version}.dist-info"
    found[f"{about}/RECORD"] = record(found, about)
    wheel = out / f"{NAME}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in found.items():
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, data)
    print(wheel)


if __name__ == "__main__":
    main()
