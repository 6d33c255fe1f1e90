"""A phone: it runs commands, and serves rows and content."""

from pathlib import Path
from typing import Callable, Optional, TypeVar, Union

from .device import Device
from .events import Event, Received
from .machine import Input, Machine, Message, Output, Refusal, StopReason, Stream
from .port import PairingAttempt, Port, now_ms
from .rows import RowWriter

#: How many rows are read for one answer to a companion.
_ANSWER_ROWS_MAX = 512

T = TypeVar("T")


class Phone(Device):
    """A phone in a directory.

    `command(txn, link, body)` runs a command of a companion and returns its answer, as bytes. What it writes by `txn`, or to
    tables of its own over `txn.db`, is durable together with the answer, and the command runs exactly once.
    `accepts(link, content, size)` says whether content that a companion puts is taken; without it none is.
    """

    _IS_PHONE = True
    _ROWS = RowWriter

    def __init__(
        self,
        directory: Union[str, Path],
        command: Callable[[RowWriter, bytes, bytes], bytes],
        accepts: Optional[Callable[[bytes, bytes, int], bool]] = None,
        event: Optional[Callable[[Event], None]] = None,
    ) -> None:
        self._command, self._accepts = command, accepts or (lambda link, content, size: False)
        #: The newest revision that the machines know.
        self._told = -1
        super().__init__(directory, event)

    def pair(self, code: str) -> PairingAttempt:
        """Begins to pair with the companion that shows this code."""
        machine = Machine.scan_code(code, self._store.used_keys(), now_ms())
        return self._within(lambda: self._begin_pairing(machine))

    def change(self, change: Callable[[RowWriter], T]) -> T:
        """Runs `change` in a transaction. What it wrote is durable when this returns; if it raises, nothing is."""
        return self._within(lambda: change(self._rows))

    def revoke(self, link: bytes) -> None:
        """Revokes a companion, which is told whenever it connects."""
        self._call(self._ports[link], Input.REVOKE(account=self._store.secret("account", 32)))

    def add_content(self, path: Union[str, Path]) -> bytes:
        """Copies a file into the directory, and returns its content id, by which companions can fetch it."""
        return self._within(lambda: self._contents.add_file(Path(path)))

    def content_path(self, content: bytes) -> Optional[Path]:
        """Returns the file of content that is here."""
        return self._contents.path(content) if self._contents.is_whole(content) else None

    def _load(self, link: bytes, rows: list) -> Machine:
        self._told = -1
        return Machine.load_phone(rows, self._store.secret("log", 16), now_ms(), self._store.age_ms(link))

    def _deliver(self, port: Port, message: Message) -> None:
        if isinstance(message, Message.COMMAND):
            answer = self._command(self._rows, port.link, message.body)
            self._step(port, Input.ANSWER(key=message.key, body=answer))
        elif isinstance(message, Message.OPENED):
            self._opened(port, message.stream)

    def _said(self, port: Port, output: Output) -> None:
        if isinstance(output, (Output.DELTA_WANTED, Output.PAGE_WANTED, Output.DIGEST_WANTED)):
            port.wanted = output
        else:
            super()._said(port, output)

    def _durable(self) -> None:
        super()._durable()
        newest = self._store.number("newest")
        if newest != self._told:
            self._told = newest
            for port in self._ports.values():
                self._step(port, Input.SET_LOG_HEAD(revision=newest))
        for port in self._ports.values():
            wanted, port.wanted = port.wanted, None
            if wanted is not None:
                try:
                    self._step(port, self._answer(wanted, newest))
                except Refusal:
                    # A connection that has ended meanwhile wants nothing more.
                    pass

    def _answer(self, wanted: Output, newest: int) -> Input:
        """Answers a question of a companion from what is durable."""
        rows, collection = self._rows, wanted.collection
        if isinstance(wanted, Output.DIGEST_WANTED):
            return Input.PROVIDE_DIGEST(collection=collection, digest=rows.digest(collection), newest=newest)
        if isinstance(wanted, Output.DELTA_WANTED):
            found = rows.later_rows(collection, wanted.after, _ANSWER_ROWS_MAX)
            newest = max(newest, wanted.after)
            return Input.PROVIDE_DELTA(
                collection=collection,
                rows=found,
                is_all=len(found) < _ANSWER_ROWS_MAX,
                budget=wanted.budget,
                newest=newest,
            )
        found = rows.rows(collection, wanted.after or b"", _ANSWER_ROWS_MAX)
        return Input.PROVIDE_PAGE(
            collection=collection,
            rows=found,
            is_all=len(found) < _ANSWER_ROWS_MAX,
            budget=wanted.budget,
            revision=newest if wanted.revision is None else wanted.revision,
        )

    # Content.

    def _opened(self, port: Port, stream: Stream) -> None:
        content = stream.content
        chunks, is_whole = self._contents.chunk_list(content) if content else (None, False)
        if content is None:
            answer = Input.STOP_STREAM(stream=stream.id, reason=StopReason.FAILED)
        elif not stream.is_incoming:
            if is_whole:
                port.streams[stream.id] = stream
                answer = Input.SERVE_CONTENT(stream=stream.id, list=chunks)
            else:
                answer = Input.STOP_STREAM(stream=stream.id, reason=StopReason.GONE)
        elif is_whole:
            answer = Input.HAVE_CONTENT(stream=stream.id)
            self._tell(Received(port.link, content, self._contents.path(content)))
        elif self._is_coming(content):
            # Two streams cannot write the same file.
            answer = Input.STOP_STREAM(stream=stream.id, reason=StopReason.BUSY)
        elif self._accepts(port.link, content, stream.size or 0):
            port.streams[stream.id] = stream
            answer = Input.ACCEPT_CONTENT(stream=stream.id)
        else:
            answer = Input.STOP_STREAM(stream=stream.id, reason=StopReason.REFUSED)
        self._step(port, answer)

    def _is_coming(self, content: bytes) -> bool:
        streams = [stream for port in self._ports.values() for stream in port.streams.values()]
        return any(stream.is_incoming and stream.content == content for stream in streams)

    def _stream_came(self, port: Port, stream: Stream) -> None:
        self._tell(Received(port.link, stream.content, self._contents.path(stream.content)))

    def _published(self, content: bytes) -> None:
        pass
