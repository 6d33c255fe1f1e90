"""Media streams at their receiver (spec/streams.md)."""

from oracle.conventions import need, sha256

CHUNK = 65536
LARGEST = 2**31


def media_receive(given):
    content_id = bytes.fromhex(given["content_id"])
    content = b"".join(bytes.fromhex(text) * times for text, times in given["content"])
    stream = bytes.fromhex(given["list"]) + content
    if len(stream) < 8:
        return {"checked": 0, "complete": False}, {}
    size = int.from_bytes(stream[:8], "big")
    need(size <= LARGEST, "TOO_LARGE")
    chunks = -(-size // CHUNK)
    head = 8 + 32 * chunks
    if len(stream) < head:
        return {"checked": 0, "complete": False}, {}
    need(sha256(stream[:head]) == content_id, "HASH")
    got, checked = stream[head:], head
    for number in range(chunks):
        chunk = got[number * CHUNK : min((number + 1) * CHUNK, size)]
        if len(chunk) < min(CHUNK, size - number * CHUNK):
            break
        need(sha256(chunk) == stream[8 + 32 * number : 40 + 32 * number], "HASH")
        checked += len(chunk)
    need(len(got) <= size, "OFFSET")
    need(given.get("fin", given["content_id"]) == given["content_id"], "HASH")
    return {"checked": checked, "complete": checked == head + size}, {}
