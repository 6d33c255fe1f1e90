"""A machine with its socket and its timer, and a pairing as the application sees it."""

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Deque, Dict, Optional, Set, Union

from .events import RelayLost
from .machine import Input, Machine, Output, Stream
from .socket import Socket

if TYPE_CHECKING:
    from .device import Device


def now_ms() -> int:
    """Returns the time of a clock that never goes back."""
    return time.monotonic_ns() // 1_000_000


class Port:
    """One machine with its socket and its timer."""

    def __init__(self, device: "Device", machine: Machine, link: bytes) -> None:
        self.device, self.machine, self.link = device, machine, link
        self.is_over = False
        self.is_live = False
        self.wanted: Optional[Output] = None
        self.streams: Dict[int, Stream] = {}
        #: Streams that were stopped to be opened again.
        self.again: Set[int] = set()
        self._socket: Optional[Socket] = None
        self._timer: Optional[asyncio.TimerHandle] = None

    def open_socket(self, url: str) -> None:
        """Opens a socket."""
        tell = self.device._input
        self._socket = Socket(
            url,
            opened=lambda: tell(self, Input.SOCKET_OPENED()),
            received=lambda message: tell(self, Input.RECEIVED(bytes=message)),
            sent=lambda length: tell(self, Input.TRANSMITTED(len=length)),
            closed=self._lost,
        )

    def _lost(self, reason: str) -> None:
        self._socket = None
        self.device._relay_lost(self, reason)

    def close_socket(self) -> None:
        """Closes the socket, after what was sent before."""
        if self._socket is not None:
            self.device._closing.add(self._socket.close())
            self._socket = None

    def send(self, message: bytes) -> None:
        """Sends one message."""
        if self._socket is not None:
            self._socket.send(message)

    def set_timer(self, at_ms: Optional[int]) -> None:
        """Sets the timer to a time of the clock of `now_ms`, or to none."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if at_ms is not None and not self.is_over:
            delay = max(0, at_ms - now_ms()) / 1000
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(delay, self.device._input, self, Input.TIMER())

    def end(self) -> None:
        """Ends the socket and the timer. The machine is not used any more."""
        self.is_over = True
        self.set_timer(None)
        self.close_socket()


class PairingAttempt:
    """A pairing that runs. Its steps come by `async for`: outputs of its machine, and `RelayLost`. The last is `Output.LINKED`
    or `Output.PAIRING_ENDED`."""

    def __init__(self, device: "Device", machine: Machine) -> None:
        self._device = device
        self._port = Port(device, machine, b"")
        self._steps: Deque[Union[Output, RelayLost]] = deque()
        self._waiting: Optional["asyncio.Future[None]"] = None
        #: The text of the code to draw, at a companion.
        self.code: Optional[str] = machine.offer_text()

    def enter_check_code(self, digits: str) -> None:
        """At a phone, after `Output.CHECK_CODE_WANTED`: the four digits that the companion shows."""
        self._device._call(self._port, Input.ENTER_CHECK_CODE(digits=digits))

    def approve(self, account_name: str, grants: int) -> None:
        """At a phone, after `Output.APPROVAL_WANTED`: links the companion."""
        self._device._approve(self._port, account_name, grants)

    def refuse(self) -> None:
        """At a phone: refuses the companion."""
        self._device._call(self._port, Input.REFUSE())

    def enter_number(self, digits: str) -> None:
        """At a companion, after `Output.NUMBER_WANTED`: the two digits that the phone shows. There is no second try."""
        self._device._call(self._port, Input.ENTER_NUMBER(digits=digits))

    def stop(self) -> None:
        """At a companion: ends the pairing."""
        self._device._call(self._port, Input.STOP_PAIRING())

    def __aiter__(self) -> "PairingAttempt":
        return self

    async def __anext__(self) -> Union[Output, RelayLost]:
        while not self._steps:
            if self._port.is_over:
                raise StopAsyncIteration
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._steps.popleft()

    def _tell(self, step: Union[Output, RelayLost, None]) -> None:
        if step is not None:
            self._steps.append(step)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
