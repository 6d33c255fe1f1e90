"""What a device tells its application."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

from .machine import Output


class DeviceError(Exception):
    """A call that does not fit what there is now."""


@dataclass(frozen=True)
class LinkEvent:
    """A link says something for the user: one of the outputs of its machine, such as `Output.STATE`."""

    link: bytes
    output: Output


@dataclass(frozen=True)
class ContentEnded:
    """A fetch has ended: the content is at the path, or `error` says why it is not."""

    content: bytes
    path: Path
    error: Optional[str]


@dataclass(frozen=True)
class PutEnded:
    """A put has ended: the phone has stored the content, or `error` says why it has not."""

    content: bytes
    error: Optional[str]


@dataclass(frozen=True)
class Received:
    """All of the content that a companion has put is here, under this path."""

    link: bytes
    content: bytes
    path: Path


@dataclass(frozen=True)
class RelayLost:
    """The socket to the relay could not be opened, or has ended, for this reason; another one follows by itself. A pairing
    tells it as a step, with an empty `link`."""

    link: bytes
    reason: str


Event = Union[LinkEvent, ContentEnded, PutEnded, Received, RelayLost]
