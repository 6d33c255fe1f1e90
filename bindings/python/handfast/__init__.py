"""A phone or a companion of Handfast, each in a directory of its own.

`handfast.machine` has the machines alone, without sockets, store or clock: it is generated from the Rust crate.
"""

from .companion import Companion
from .events import ContentEnded, DeviceError, LinkEvent, PutEnded, Received, RelayLost
from .machine import Output, Refusal, Row
from .phone import Phone
from .port import PairingAttempt
from .rows import RowWriter, Rows
from .store import StoreConflict, StoreFailed, StoreInUse

__all__ = [
    "Companion",
    "ContentEnded",
    "DeviceError",
    "LinkEvent",
    "Output",
    "PairingAttempt",
    "Phone",
    "PutEnded",
    "Received",
    "Refusal",
    "RelayLost",
    "Row",
    "RowWriter",
    "Rows",
    "StoreConflict",
    "StoreFailed",
    "StoreInUse",
]
