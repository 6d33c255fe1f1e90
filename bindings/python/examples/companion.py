"""A companion of the phone with the shopping list: it shows the list, and adds to it.

    python companion.py DIR RELAY

A line `get ID PATH` fetches a file that the phone shows, a line `put PATH` puts one at the phone.
"""

import asyncio
import sys

from handfast import Companion, ContentEnded, Output, PutEnded


def row(txn, collection: bytes, row) -> None:
    if collection == b"list":
        print("on the list:", row.body.decode(errors="replace"), flush=True)
    else:
        print("a file:", row.id.hex(), row.body.decode(errors="replace"), flush=True)


def result(txn, key: bytes, body: bytes) -> None:
    print("the phone has added it", flush=True)


def show(event: object) -> None:
    if isinstance(event, ContentEnded):
        print("the file is here:" if event.error is None else event.error, event.path, flush=True)
    elif isinstance(event, PutEnded):
        print("the phone has the file" if event.error is None else event.error, flush=True)


async def ask(question: str) -> str:
    print(question, flush=True)
    return (await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)).rstrip("\n")


async def pair(companion: Companion, relay: str) -> None:
    pairing = companion.pair(relay, "Kitchen", grants=1)
    print("Scan this code:", pairing.code, flush=True)
    async for step in pairing:
        if isinstance(step, Output.SHOW_CHECK_CODE):
            print("Type at the phone:", step.digits, flush=True)
        elif isinstance(step, Output.NUMBER_WANTED):
            question = f'Link to "{step.account_name}"? The number that it shows?'
            pairing.enter_number(await ask(question))
        elif isinstance(step, Output.LINKED):
            print("Linked", flush=True)
        elif isinstance(step, Output.PAIRING_ENDED):
            print("Not linked:", step.code, flush=True)


async def talk(companion: Companion, relay: str) -> None:
    if not companion.links():
        await pair(companion, relay)
    while True:
        item = await ask("Anything to add? An empty line ends.")
        if not item:
            return companion.close()
        if item.startswith("get "):
            _, content, path = item.split(" ", 2)
            companion.get(bytes.fromhex(content), path)
        elif item.startswith("put "):
            companion.put(item[4:])
        else:
            # Once this has returned, the item will be on the phone's list, and once.
            companion.send(item.encode())


async def main() -> None:
    words = sys.argv[1:]
    if len(words) != 2:
        sys.exit("usage: companion.py DIR RELAY")
    companion = Companion(words[0], ["list", "files"], row=row, result=result, event=show)
    await asyncio.gather(companion.run(), talk(companion, words[1]))


if __name__ == "__main__":
    asyncio.run(main())
