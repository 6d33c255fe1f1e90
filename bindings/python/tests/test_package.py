"""What the package promises without a relay."""

import asyncio
import socket
import tempfile
import unittest
from pathlib import Path

from handfast import Companion, DeviceError, Phone, Refusal, RelayLost, StoreConflict, StoreFailed, StoreInUse
from handfast.machine import Commit, ContentHasher, Input, Machine, Output, Write, random_bytes, row_digest
from handfast.store import Store


def code_of(call) -> str:
    try:
        call()
    except Refusal as refusal:
        return refusal.code
    raise AssertionError("it was not refused")


class Machines(unittest.TestCase):
    def setUp(self) -> None:
        self.machine = Machine.show_code("127.0.0.1:1", "Kitchen", "", 1, [], 0)

    def test_bad_input_is_refused_by_a_code_and_the_machine_goes_on(self) -> None:
        step = self.machine.step
        self.assertIsInstance(step(0, Input.TIMER())[0], Output.CONNECT)
        self.assertEqual(code_of(lambda: step(0, Input.RECEIVED(bytes=b"x"))), "WRONG_STATE")
        self.assertEqual(code_of(lambda: step(0, Input.COMMITTED(id=7))), "WRONG_STATE")
        self.assertEqual(code_of(lambda: step(0, Input.ENTER_NUMBER(digits="12"))), "WRONG_STATE")
        self.assertEqual(code_of(lambda: step(0, Input.SEND(key=b"", body=b""))), "WRONG_STATE")
        # The end of time, and what no relay sends: the socket is given up, and nothing breaks.
        step(2**64 - 1, Input.SOCKET_OPENED())
        step(2**64 - 1, Input.RECEIVED(bytes=bytes(70_000)))
        self.assertIsInstance(step(0, Input.TIMER())[-1], Output.SET_TIMER)

    def test_what_cannot_be_loaded_is_refused(self) -> None:
        self.assertEqual(code_of(lambda: Machine.show_code("NOT A NAME", "", "", 0, [], 0)), "BAD_ARGUMENT")
        self.assertEqual(code_of(lambda: Machine.scan_code("no code", [], 0)), "BAD_ARGUMENT")
        self.assertEqual(code_of(lambda: Machine.load_companion([], 0, 0)), "NOT_LINKED")
        self.assertEqual(code_of(lambda: Machine.load_phone([], b"short", 0, 0)), "BAD_ARGUMENT")

    def test_content_has_an_id(self) -> None:
        hasher = ContentHasher()
        hasher.update(b"a")
        hasher.update(b"b")
        both, whole = hasher.finish(), ContentHasher()
        whole.update(b"ab")
        self.assertEqual(both, whole.finish())
        self.assertEqual(len(both.content), 32)
        self.assertEqual(row_digest([]), bytes(32))
        self.assertNotEqual(random_bytes(16), random_bytes(16))


class Devices(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def open(self, name: str) -> Phone:
        phone = Phone(self.folder / name, lambda txn, link, body: b"")
        self.addCleanup(phone.close)
        return phone

    def test_a_change_is_durable_or_did_not_happen(self) -> None:
        phone = self.open("phone")
        self.assertEqual(phone.change(lambda txn: txn.put("list", b"1", b"milk")), 1)

        def fail(txn) -> None:
            txn.put("list", b"2", b"bread")
            raise KeyError("no")

        self.assertRaises(KeyError, lambda: phone.change(fail))
        self.assertRaises(DeviceError, lambda: phone.change(lambda txn: phone.change(lambda txn: None)))
        phone.close()
        again = self.open("phone")
        rows = again.change(lambda txn: (txn.rows("list"), txn.newest()))
        self.assertEqual(([row.body for row in rows[0]], rows[1]), ([b"milk"], 1))

    def test_a_directory_has_one_process(self) -> None:
        self.open("phone")
        self.assertRaises(StoreInUse, lambda: self.open("phone"))

    def test_a_database_that_is_none_is_named(self) -> None:
        folder = self.folder / "damaged"
        folder.mkdir()
        (folder / "handfast.db").write_bytes(b"no database" * 1_000)
        with self.assertRaisesRegex(StoreFailed, "handfast.db cannot be used"):
            self.open("damaged")

    def test_a_device_that_was_closed_does_not_run(self) -> None:
        phone = self.open("phone")
        phone.close()
        asyncio.run(phone.run())

    def test_a_relay_that_is_not_there_is_a_step_with_a_reason(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            relay = f"127.0.0.1:{free.getsockname()[1]}"

            async def first_loss() -> RelayLost:
                companion = Companion(self.folder / "companion", ["list"])
                running = asyncio.ensure_future(companion.run())
                pairing = companion.pair(relay, "Kitchen", grants=1)
                try:
                    async for step in pairing:
                        if isinstance(step, RelayLost):
                            return step
                finally:
                    companion.close()
                    await running
                raise AssertionError("the pairing has ended")

            lost = asyncio.run(asyncio.wait_for(first_loss(), 60))
        self.assertEqual(lost.link, b"")
        self.assertIn("127.0.0.1", lost.reason)

    def test_an_event_that_raises_fails_the_device_and_not_the_call(self) -> None:
        async def story() -> None:
            def event(event: object) -> None:
                raise KeyError("of the application")

            phone = Phone(self.folder / "phone", lambda txn, link, body: b"", event=event)
            running = asyncio.ensure_future(phone.run())
            await asyncio.sleep(0)
            phone._effects.append(lambda: phone._event("anything"))
            self.assertEqual(phone.change(lambda txn: txn.put("list", b"1", b"milk")), 1)
            with self.assertRaises(KeyError):
                await running

        asyncio.run(story())
        rows = self.open("phone").change(lambda txn: txn.rows("list"))
        self.assertEqual([row.body for row in rows], [b"milk"])

    def test_a_companion_without_a_link_says_so(self) -> None:
        companion = Companion(self.folder / "companion", ["list"])
        self.addCleanup(companion.close)
        self.assertRaises(DeviceError, lambda: companion.send(b"milk"))

    def test_a_commit_for_another_version_writes_nothing(self) -> None:
        store = Store(self.folder / "store")
        self.addCleanup(store.close)
        write = Write.PUT(key=b"v", value=b"1", is_secret=False)
        first = Commit(id=1, link=b"link", version_key=b"v", expects=None, writes=[write])
        store.apply(first)
        store.commit()
        self.assertRaises(StoreConflict, lambda: store.apply(first))


if __name__ == "__main__":
    unittest.main()
