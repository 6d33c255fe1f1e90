"""A relay that floods whoever connects: flood.py HOST:PORT. Each socket of a page gets the next of the floods; when it is
over, a line of the output says which it was, and how many bytes left."""

import asyncio
import base64
import hashlib
import itertools
import os
import sys

ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, WEBSOCKET_PING = 1, 2, 9
HELLO, CHALLENGE, PING = 1, 3, 17
# A flood ends by itself: of a socket that its page has closed, Chromium goes on reading for a minute.
FLOOD_LEN = 64 << 20


def message(opcode, body):
    """A whole WebSocket message of a server."""
    length = bytes([len(body)]) if len(body) < 126 else b"\x7e" + len(body).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + body


def greeting(name):
    """HELLO of a relay of this name, and its CHALLENGE."""
    varint = lambda number: (1 << 31 | number).to_bytes(4, "big")
    fields = {1: b"\x01", 3: name.encode(), 5: bytes(16), 7: varint(16_512), 9: varint(25_000)}
    hello = b"".join(bytes([field, len(value)]) + value for field, value in fields.items())
    return message(BINARY, bytes([HELLO]) + hello) + message(BINARY, bytes([CHALLENGE]) + os.urandom(32))


def floods(name):
    """Names; what is sent first; what is sent again and again."""
    hello = greeting(name)
    pings = b"".join(message(BINARY, bytes([PING]) + os.urandom(8)) for _ in range(2_048))
    return [
        ("noise", b"", message(BINARY, os.urandom(16_384)) * 16),
        ("texts", b"", message(TEXT, b"x" * 16_384) * 16),
        ("greetings", b"", hello * 512),
        ("relay-pings", hello, pings),
        ("websocket-pings", hello, message(WEBSOCKET_PING, bytes(125)) * 512),
    ]


async def flood(name, first, again, writer):
    """Sends, and reads nothing, until there was enough of it or the socket is closed."""
    sent = 0
    try:
        for part in itertools.chain([first], itertools.repeat(again)):
            writer.write(part)
            await writer.drain()
            sent += len(part)
            if sent >= FLOOD_LEN:
                break
    finally:
        print(name, sent, flush=True)


async def main(address):
    host, port = address.rsplit(":", 1)
    turns = itertools.cycle(floods(address))

    async def serve(reader, writer):
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            fields = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines[1:])}
            key = fields.get(b"sec-websocket-key")
            # Only pages are flooded: a phone takes turns from them.
            if key is None or b"origin" not in fields:
                writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
                return
            accept = base64.b64encode(hashlib.sha1(key + ACCEPT).digest())
            upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            writer.write(upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            await flood(*next(turns), writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, host, int(port)) as server:
        await server.serve_forever()


asyncio.run(main(sys.argv[1]))
