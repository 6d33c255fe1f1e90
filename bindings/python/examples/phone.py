"""A phone with a shopping list. A companion adds to the list, and so does the phone's user.

    python phone.py DIR CODE     links the companion that shows the code
    python phone.py DIR          goes on with the companions that are linked

A line `file PATH` shows a file to the companions.
"""

import asyncio
import sys
from pathlib import Path

from handfast import Output, Phone, Received, RowWriter


def add(txn: RowWriter, item: bytes) -> None:
    txn.put("list", (txn.newest() + 1).to_bytes(8, "big"), item)
    print("on the list:", item.decode(errors="replace"), flush=True)


def command(txn: RowWriter, link: bytes, item: bytes) -> bytes:
    """Runs exactly once for each command, whatever is lost or killed on the way."""
    add(txn, item)
    return b"added"


def show(event: object) -> None:
    if isinstance(event, Received):
        print("a file came:", event.path, flush=True)


async def ask(question: str) -> str:
    print(question, flush=True)
    return (await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)).rstrip("\n")


async def pair(phone: Phone, code: str) -> None:
    pairing = phone.pair(code)
    async for step in pairing:
        if isinstance(step, Output.CHECK_CODE_WANTED):
            pairing.enter_check_code(await ask("The four digits that the companion shows?"))
        elif isinstance(step, Output.WRONG_CHECK_CODE) and step.tries_left > 0:
            pairing.enter_check_code(await ask("Wrong. The four digits again?"))
        elif isinstance(step, Output.APPROVAL_WANTED):
            if await ask(f'Link "{step.label}"? yes or no') == "yes":
                pairing.approve("Shopping", grants=1)
            else:
                pairing.refuse()
        elif isinstance(step, Output.SHOW_NUMBER):
            print("Type there:", step.digits, flush=True)
        elif isinstance(step, Output.LINKED):
            print("Linked", flush=True)
        elif isinstance(step, Output.PAIRING_ENDED):
            print("Not linked:", step.code, flush=True)


def show_file(phone: Phone, path: Path) -> None:
    content = phone.add_content(path)
    phone.change(lambda txn: txn.put("files", content, path.name.encode()))


async def serve(phone: Phone, code: str) -> None:
    if code:
        await pair(phone, code)
    while True:
        item = await ask("Anything to add? An empty line ends.")
        if not item:
            return phone.close()
        if item.startswith("file "):
            show_file(phone, Path(item[5:]))
        else:
            phone.change(lambda txn: add(txn, item.encode()))


async def main() -> None:
    words = sys.argv[1:]
    if len(words) not in (1, 2):
        sys.exit("usage: phone.py DIR [CODE]")
    phone = Phone(words[0], command, accepts=lambda link, content, size: size < 1 << 30, event=show)
    await asyncio.gather(phone.run(), serve(phone, words[1] if len(words) > 1 else ""))


if __name__ == "__main__":
    asyncio.run(main())
