"""What phones and companions have in common: machines, their sockets and timers, and one transaction for each input."""

import asyncio
from collections import deque
from pathlib import Path
from typing import Callable, Deque, Dict, List, Optional, Set, Tuple, Union

from .content import Contents
from .events import DeviceError, Event, LinkEvent, RelayLost
from .machine import Input, Machine, Message, Output, StopReason, Stream, peer_keys, random_bytes
from .port import PairingAttempt, Port, now_ms
from .rows import Rows
from .store import Store


class Device:
    """A phone or a companion in a directory, which no other process may use meanwhile.

    All calls are for the thread of the event loop, and what they write is durable when they return. A failure of the store,
    or of a function of the application, ends `run()`: nothing of the failed input is kept, and a new device goes on.
    """

    _IS_PHONE: bool
    _ROWS: Callable[[Store], Rows]

    def __init__(self, directory: Union[str, Path], event: Optional[Callable[[Event], None]] = None) -> None:
        self._store = Store(Path(directory))
        self._contents = Contents(self._store, Path(directory))
        self._rows = type(self)._ROWS(self._store)
        self._event = event or (lambda event: None)
        self._ports: Dict[bytes, Port] = {}
        self._attempt: Optional[PairingAttempt] = None
        self._todo: Deque[Tuple[Port, Output]] = deque()
        self._commits: List[Tuple[Port, int]] = []
        #: What is to be done and told once everything before it is durable.
        self._effects: Deque[Callable[[], object]] = deque()
        #: Content that is whole, and is not published yet.
        self._came: List[bytes] = []
        self._is_busy = False
        self._failure: Optional[BaseException] = None
        self._ended: Optional["asyncio.Future[None]"] = None
        self._is_running = False
        self._is_closed = False
        self._closing: Set["asyncio.Task[None]"] = set()
        self._within(self._load_links)

    # What the application calls.

    async def run(self) -> None:
        """Runs the device until `close`, or until it fails. Returns at once if it was closed before."""
        if self._is_closed:
            return
        self._ended = asyncio.get_running_loop().create_future()
        self._is_running = True
        try:
            if self._failure is not None:
                raise self._failure
            self._flush()
            await self._ended
        finally:
            self._stop()
            if self._closing:
                await asyncio.wait(self._closing, timeout=1)

    def close(self) -> None:
        """Ends `run()` and closes the directory."""
        self._is_closed = True
        if self._ended is not None:
            if not self._ended.done():
                self._ended.set_result(None)
        else:
            self._stop()

    def links(self) -> List[bytes]:
        """Returns the ids of the links."""
        return list(self._ports)

    # The round: outputs of the machines, one transaction, reports of its commits.

    def _call(self, port: Port, what: Input) -> None:
        self._within(lambda: self._step(port, what))

    def _within(self, work: Callable[[], object]) -> object:
        """Does work of the application in a round. If a machine refuses it, nothing was done."""
        if self._is_busy:
            raise DeviceError("a function of the application has its transaction: it cannot call the device")
        if self._failure is not None:
            raise DeviceError("the device has failed: open it again") from self._failure
        self._is_busy = True
        try:
            with self._store.part():
                value = work()
        except BaseException as failure:
            self._is_busy = False
            # The part is undone; an empty transaction is left.
            self._store.roll_back()
            if self._todo:
                # A machine has gone on, and the store has not.
                self._fail(failure)
            raise
        try:
            self._settle()
        except BaseException as failure:
            self._fail(failure)
            raise
        finally:
            self._is_busy = False
        try:
            self._flush()
        except Exception as failure:
            # What was asked for is durable, so the device fails, and not the call.
            self._fail(failure)
        return value

    def _input(self, port: Port, what: Input) -> None:
        """Passes in what a socket or a timer says."""
        if port.is_over or self._failure is not None:
            return
        try:
            self._call(port, what)
        except BaseException as failure:
            self._fail(failure)

    def _relay_lost(self, port: Port, reason: str) -> None:
        attempt = self._attempt
        if attempt is not None and port is attempt._port:
            self._effects.append(lambda: attempt._tell(RelayLost(b"", reason)))
        else:
            self._tell(RelayLost(port.link, reason))
        self._input(port, Input.SOCKET_CLOSED())

    def _step(self, port: Port, what: Input) -> None:
        self._todo.extend((port, output) for output in port.machine.step(now_ms(), what))

    def _settle(self) -> None:
        while True:
            while self._todo:
                port, output = self._todo.popleft()
                if not port.is_over:
                    self._carry_out(port, output)
            self._store.commit()
            commits, self._commits = self._commits, []
            for port, number in commits:
                if not port.is_over:
                    self._step(port, Input.COMMITTED(id=number))
            if not self._todo:
                self._durable()
            if not self._todo and not self._store.db.in_transaction:
                return

    def _flush(self) -> None:
        while self._is_running and self._effects:
            self._effects.popleft()()

    def _fail(self, failure: BaseException) -> None:
        self._failure = self._failure or failure
        self._store.roll_back()
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(failure)

    def _stop(self) -> None:
        self._is_running = False
        self._failure = self._failure or DeviceError("the device is closed")
        for port in self._all_ports():
            port.end()
        if self._attempt is not None:
            self._attempt._tell(None)
        self._contents.close()
        self._store.close()

    def _all_ports(self) -> List[Port]:
        attempt = [self._attempt._port] if self._attempt else []
        return list(self._ports.values()) + attempt

    def _tell(self, event: Event) -> None:
        self._effects.append(lambda: self._event(event))

    # Links and pairings.

    def _load_links(self) -> None:
        for link, rows in self._store.links().items():
            if link not in self._ports:
                self._store.note_used_keys(peer_keys(rows, self._IS_PHONE))
                port = Port(self, self._load(link, rows), link)
                self._ports[link] = port
                for stream in port.machine.streams():
                    self._continue(port, stream)
                self._step(port, Input.TIMER())

    def _load(self, link: bytes, rows: list) -> Machine:
        raise NotImplementedError

    def _begin_pairing(self, machine: Machine) -> PairingAttempt:
        if self._attempt is not None:
            self._end_attempt()
        self._attempt = PairingAttempt(self, machine)
        self._step(self._attempt._port, Input.TIMER())
        return self._attempt

    def _end_attempt(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt._port.is_over = True
            self._effects.append(attempt._port.end)
            self._effects.append(lambda: attempt._tell(None))

    def _approve(self, port: Port, account_name: str, grants: int) -> None:
        def approve() -> None:
            serial = self._store.next_number("serial")
            account, companion = self._store.secret("account", 32), random_bytes(16)
            self._step(
                port,
                Input.APPROVE(
                    account=account, account_name=account_name, companion=companion, serial=serial, grants=grants
                ),
            )

        self._within(approve)

    # Outputs.

    def _carry_out(self, port: Port, output: Output) -> None:
        if isinstance(output, (Output.PERSIST, Output.DELIVER, Output.STREAM_OPENED)):
            self._store.apply(output.commit)
            self._commits.append((port, output.commit.id))
            if isinstance(output, Output.DELIVER):
                self._deliver(port, output.message)
            elif isinstance(output, Output.STREAM_OPENED):
                streams = port.machine.streams()
                port.streams[output.stream] = next(one for one in streams if one.id == output.stream)
        elif isinstance(output, Output.TRANSMIT):
            self._effects.append(lambda: port.send(output.bytes))
        elif isinstance(output, Output.SET_TIMER):
            self._effects.append(lambda: port.set_timer(output.at_ms))
        elif isinstance(output, Output.CONNECT):
            self._effects.append(lambda: port.open_socket(output.url))
        elif isinstance(output, Output.DISCONNECT):
            self._effects.append(port.close_socket)
        elif not self._carry_out_of_content(port, output):
            self._said(port, output)

    def _said(self, port: Port, output: Output) -> None:
        """Something for the user, or for the role."""
        attempt = self._attempt
        if attempt is not None and port is attempt._port:
            self._effects.append(lambda: attempt._tell(output))
            if isinstance(output, (Output.LINKED, Output.PAIRING_ENDED)):
                self._end_attempt()
                self._load_links()
            return
        if isinstance(output, Output.STATE):
            port.is_live = output.state == "live"
        elif isinstance(output, (Output.REVOKED, Output.LAPSED)):
            self._ports.pop(port.link, None)
            self._effects.append(port.end)
        self._tell(LinkEvent(port.link, output))

    def _deliver(self, port: Port, message: Message) -> None:
        raise NotImplementedError

    def _durable(self) -> None:
        """Does what needs everything to be durable."""
        came, self._came = self._came, []
        for content in came:
            self._contents.publish(content)
            self._published(content)

    def _published(self, content: bytes) -> None:
        raise NotImplementedError

    # Content.

    def _carry_out_of_content(self, port: Port, output: Output) -> bool:
        stream = port.streams.get(getattr(output, "stream", -1))
        if isinstance(output, Output.STREAM_ENDED):
            if stream is not None:
                del port.streams[stream.id]
                self._stream_ended(port, stream, output.end)
            return True
        if isinstance(output, Output.CONTENT_PROGRESS):
            self._tell(LinkEvent(port.link, output))
            return True
        if not isinstance(output, (Output.WRITE_CONTENT, Output.SYNC_CONTENT, Output.READ_CONTENT)):
            return False
        if stream is None or stream.content is None:
            return True
        try:
            self._move(port, stream, output)
        except OSError:
            # The transfer fails, and the link goes on.
            self._step(port, Input.STOP_STREAM(stream=stream.id, reason=StopReason.FAILED))
        return True

    def _move(self, port: Port, stream: Stream, output: Output) -> None:
        if isinstance(output, Output.WRITE_CONTENT):
            self._contents.write(stream.content, output.at, output.bytes)
        elif isinstance(output, Output.SYNC_CONTENT):
            self._contents.sync(stream.content, output.size, output.list, output.is_whole)
            self._step(port, Input.CONTENT_SYNCED(stream=stream.id))
            if output.is_whole:
                del port.streams[stream.id]
                self._came.append(stream.content)
                self._stream_came(port, stream)
        elif isinstance(output, Output.READ_CONTENT):
            data = self._contents.read(stream.content, output.at, output.len)
            self._step(port, Input.SUPPLY_CONTENT(stream=stream.id, bytes=data))

    def _continue(self, port: Port, stream: Stream) -> None:
        """Goes on with a stream of an earlier run."""
        if not stream.is_own and not stream.has_begun:
            return self._opened(port, stream)
        content = stream.content
        port.streams[stream.id] = stream
        is_lost = stream.is_incoming and stream.has_begun and not self._contents.can_continue(content)
        if content is None or is_lost:
            port.again.add(stream.id)
            self._step(port, Input.STOP_STREAM(stream=stream.id, reason=StopReason.CANCELLED))
        else:
            chunks = self._contents.chunk_list(content)[0]
            self._step(port, Input.CONTINUE_STREAM(stream=stream.id, list=chunks))
        return None

    def _opened(self, port: Port, stream: Stream) -> None:
        """Answers a stream that the peer has opened: here, by refusing it."""
        self._step(port, Input.STOP_STREAM(stream=stream.id, reason=StopReason.GONE))

    def _stream_came(self, port: Port, stream: Stream) -> None:
        """All content of a stream came."""

    def _stream_ended(self, port: Port, stream: Stream, end: str) -> None:
        """A stream ended otherwise. Content that came in part goes."""
        if stream.is_incoming and stream.content is not None:
            self._contents.drop(stream.content)

