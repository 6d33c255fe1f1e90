"""One WebSocket to a relay."""

import asyncio
from typing import Callable, Optional

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

#: The longest message that a relay sends.
_MESSAGE_LEN_MAX = 1 << 16


class Socket:
    """Opens a socket. `opened()`, `received(bytes)` and `sent(length)` are called as it goes, `closed(reason)` once and last."""

    def __init__(
        self,
        url: str,
        opened: Callable[[], None],
        received: Callable[[bytes], None],
        sent: Callable[[int], None],
        closed: Callable[[str], None],
    ) -> None:
        self._opened, self._received, self._sent, self._closed = opened, received, sent, closed
        self._queue: "asyncio.Queue[Optional[bytes]]" = asyncio.Queue()
        self._is_closed = False
        self._task = asyncio.get_running_loop().create_task(self._run(url))

    def send(self, message: bytes) -> None:
        """Sends one binary message."""
        self._queue.put_nowait(message)

    def close(self) -> "asyncio.Task[None]":
        """Closes the socket, after what was sent before. Nothing is called any more."""
        self._is_closed = True
        self._queue.put_nowait(None)
        return self._task

    async def _run(self, url: str) -> None:
        reason = "the relay closed the connection"
        try:
            # The machines watch over the connection, so no pings are needed beside theirs.
            async with connect(url, compression=None, ping_interval=None, max_size=_MESSAGE_LEN_MAX) as socket:
                self._tell(self._opened)
                reader = asyncio.ensure_future(self._read(socket))
                try:
                    await self._write(socket, reader)
                finally:
                    reader.cancel()
        except (OSError, asyncio.TimeoutError, WebSocketException) as error:
            reason = str(error) or type(error).__name__
        self._tell(self._closed, reason)

    async def _read(self, socket) -> None:
        async for message in socket:
            if isinstance(message, str):
                break
            self._tell(self._received, message)

    async def _write(self, socket, reader: "asyncio.Future[None]") -> None:
        while not reader.done():
            waiting = asyncio.ensure_future(self._queue.get())
            await asyncio.wait((waiting, reader), return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                waiting.cancel()
                break
            message = waiting.result()
            if message is None:
                break
            await socket.send(message)
            self._tell(self._sent, len(message))

    def _tell(self, callback: Callable[..., None], *words: object) -> None:
        if not self._is_closed:
            callback(*words)
