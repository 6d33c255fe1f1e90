"""A companion: it sends commands, holds a copy of the phone's rows, and fetches and puts content."""

from pathlib import Path
from typing import Callable, List, Optional, Union

from .device import Device
from .events import ContentEnded, DeviceError, Event, PutEnded
from .machine import Input, Machine, Message, Output, Refusal, Row, Stream, random_bytes
from .port import PairingAttempt, Port, now_ms
from .rows import RowCopy, Rows, name_of

#: How many streams are open at once.
_STREAMS_MAX = 4

_Taken = Optional[Callable[..., None]]


class Companion(Device):
    """A companion in a directory. It follows these collections whenever it is connected.

    `row(txn, collection, row)`, `gone(txn, collection, row_id)` and `result(txn, key, body)` are called in the transaction of
    what arrived; `body` is `None` if the phone ran the command and no longer has its answer.
    """

    _IS_PHONE = False
    _ROWS = RowCopy

    def __init__(
        self,
        directory: Union[str, Path],
        collections: List[Union[bytes, str]],
        row: Optional[Callable[[Rows, bytes, Row], None]] = None,
        gone: Optional[Callable[[Rows, bytes, bytes], None]] = None,
        result: Optional[Callable[[Rows, bytes, Optional[bytes]], None]] = None,
        event: Optional[Callable[[Event], None]] = None,
    ) -> None:
        nothing: _Taken = lambda *words: None  # noqa: E731
        self._collections = [name_of(name) for name in collections]
        self._row, self._gone, self._result = row or nothing, gone or nothing, result or nothing
        super().__init__(directory, event)
        for content in self._contents.wanted():
            if self._contents.is_whole(content):
                self._came.append(content)

    @property
    def rows(self) -> Rows:
        """The copy of the phone's rows."""
        return self._rows

    def pair(self, relay: str, label: str, grants: int = 0, origin: str = "") -> PairingAttempt:
        """Begins a pairing over this relay. Draw its `code`."""
        machine = Machine.show_code(relay, label, origin, grants, self._store.used_keys(), now_ms())
        return self._within(lambda: self._begin_pairing(machine))

    def send(self, body: bytes) -> bytes:
        """Sends a command, which the phone runs exactly once. It is durable when this returns its key."""
        key = random_bytes(16)
        self._call(self._link(), Input.SEND(key=key, body=body))
        return key

    def get(self, content: bytes, path: Union[str, Path]) -> None:
        """Fetches content to a path. The wish is durable when this returns; its end comes as `ContentEnded`."""

        def want() -> None:
            self._contents.want(content, Path(path))
            if self._contents.is_whole(content):
                self._came.append(content)

        self._within(want)

    def put(self, path: Union[str, Path]) -> bytes:
        """Puts a file at the phone. The wish is durable when this returns; its end comes as `PutEnded`."""

        def offer() -> bytes:
            content = self._contents.add_file(Path(path))
            self._contents.offer(content)
            return content

        return self._within(offer)

    def take_back_seat(self) -> None:
        """Takes back the place at the relay that another program took, after `Output.REPLACED`."""
        self._call(self._link(), Input.TAKE_BACK_SEAT())

    def _link(self) -> Port:
        for port in self._ports.values():
            return port
        raise DeviceError("there is no link: pair first")

    def _load(self, link: bytes, rows: list) -> Machine:
        return Machine.load_companion(rows, now_ms(), self._store.age_ms(link))

    def _deliver(self, port: Port, message: Message) -> None:
        if isinstance(message, Message.RESULT):
            self._result(self._rows, message.key, message.body)
        elif isinstance(message, Message.DELTA):
            self._take(message.collection, message.rows)
        elif isinstance(message, Message.PAGE):
            if message.is_first:
                self._rows.begin_snapshot(message.collection)
            self._take(message.collection, message.rows)
            gone = self._rows.end_snapshot(message.collection) if message.is_last else []
            for row_id in gone:
                self._gone(self._rows, message.collection, row_id)
        elif isinstance(message, Message.OPENED):
            self._opened(port, message.stream)

    def _take(self, collection: bytes, rows: List[Row]) -> None:
        for row in rows:
            is_there = self._rows.take(collection, row)
            if is_there is True:
                self._row(self._rows, collection, row)
            elif is_there is False:
                self._gone(self._rows, collection, row.id)

    def _said(self, port: Port, output: Output) -> None:
        if isinstance(output, Output.DIGEST_WANTED):
            digest = self._rows.digest(output.collection)
            self._step(port, Input.PROVIDE_DIGEST(collection=output.collection, digest=digest, newest=0))
            return
        if isinstance(output, Output.CONNECTED):
            for collection in self._collections:
                self._step(port, Input.SUBSCRIBE(collection=collection))
        super()._said(port, output)

    def _durable(self) -> None:
        super()._durable()
        for port in self._ports.values():
            if port.is_live:
                self._open_streams(port)

    def _open_streams(self, port: Port) -> None:
        """Opens streams for content that is wanted or offered and has none."""
        busy = {(stream.content, stream.is_incoming) for stream in port.streams.values() if stream.is_own}
        room = _STREAMS_MAX - len(busy)
        if room <= 0:
            return
        # This is asked in every round, so the lists of what is under way are not read again.
        gets = [content for content in self._contents.wanted() if (content, True) not in busy]
        puts = [content for content in self._contents.offered() if (content, False) not in busy]
        inputs = [
            Input.GET_CONTENT(content=content, stored=0) for content in gets if not self._contents.is_whole(content)
        ]
        lists = (self._contents.chunk_list(content)[0] for content in puts)
        inputs += [Input.PUT_CONTENT(list=chunks) for chunks in lists if chunks is not None]
        for opening in inputs[:room]:
            try:
                self._step(port, opening)
            except Refusal:
                # Too much is under way: a later round tries again.
                return

    def _published(self, content: bytes) -> None:
        for path in self._contents.take_wishes(content):
            try:
                self._contents.copy_out(content, path)
                self._tell(ContentEnded(content, path, None))
            except OSError as error:
                self._tell(ContentEnded(content, path, str(error)))

    def _stream_ended(self, port: Port, stream: Stream, end: str) -> None:
        super()._stream_ended(port, stream, end)
        # What the phone no longer knows, or was lost here, is opened again.
        is_again = end == "lost" or stream.id in port.again
        port.again.discard(stream.id)
        if not stream.is_own or stream.content is None or is_again:
            return
        if stream.is_incoming:
            for path in self._contents.take_wishes(stream.content):
                self._tell(ContentEnded(stream.content, path, end))
        elif self._contents.withdraw(stream.content):
            self._tell(PutEnded(stream.content, None if end == "done" else end))
