"""The twins for asyncio. Guards against: an event loop that stands still, a cost that is lost with a cancelled task."""

import asyncio
import inspect
import os
import signal
import threading
import time
import unittest
from decimal import Decimal

from support import Case, dead_url, within  # First: it knows the path to the sources.

from lead_factory_metrics import Refused, aio
from lead_factory_metrics._default import client
from answers import OPENAI_CHAT


class Aio(Case):
    def setUp(self):
        super().setUp()
        self.ledger = self.agent(DAILY_BUDGET="10")
        self.use(self.ledger.url)
        client.flush()

    def use(self, url):
        aio._client._agent._url = url
        aio._client._configure(None, None, str(self.spool))
        self.addCleanup(setattr, aio._client._agent, "_url", "off")

    def run_async(self, coroutine):
        return asyncio.run(asyncio.wait_for(coroutine, 60), debug=False)

    def test_record_may_be_awaited_and_need_not_be(self):
        async def work():
            self.assertEqual(aio.record("openai", "chat", "0.5", id="a"), "a")
            self.assertEqual(await aio.record("openai", "chat", "0.25", id="b"), "b")
            self.assertFalse(await aio.record("openai", "chat", float("nan")))
            self.assertFalse(await aio.record())
            self.assertTrue(await aio.flush())

        self.run_async(work())
        self.assertEqual(self.ledger.total(), Decimal("0.75"))

    def test_blocks_hold_settle_and_release(self):
        async def work():
            async with aio.reserve("openai", "chat", 1, worker="w") as hold:
                self.assertTrue(hold.is_reserved)
                self.assertEqual(hold.id, self.ledger.held()[0]["reservation_id"])
                self.assertTrue(await hold.extend(600))
                await hold.settle("0.25", usage={"input_tokens": 1}, model="m")
                self.assertEqual(self.ledger.held(), [])
            async with aio.reserve("openai", "chat", 1) as released:
                pass
            with self.assertRaises(KeyError):
                async with aio.reserve("openai", "chat", 1):
                    raise KeyError("mine")
            with self.assertRaises(Refused):
                async with aio.reserve("openai", "chat", 100):
                    self.fail("the block runs")
            return hold, released

        hold, released = self.run_async(work())
        self.assertEqual((hold.state, released.state), ("settled", "released"))
        self.assertEqual((self.ledger.total(), self.ledger.held()), (Decimal("0.25"), []))

    def test_a_settlement_that_is_not_awaited_counts_before_the_block_ends(self):
        async def work():
            async with aio.reserve("openai", "chat", 1) as hold:
                hold.settle("0.25")
            return self.ledger.total(), self.ledger.held()

        self.assertEqual(self.run_async(work()), (Decimal("0.25"), []))

    def test_decorated_coroutines_and_generators(self):
        from lead_factory_metrics import reserve

        @aio.reserve("openai", "chat", 1)
        async def ask(amount, hold):
            await hold.settle(amount)
            return amount

        @reserve("openai", "chat", 1)
        async def ask_too(hold):
            await hold.settle(1)

        @aio.reserve("openai", "chat", 1)
        async def tokens(hold):
            try:
                got = yield "a"
                yield got
            finally:
                hold.settle("0.5")

        @aio.reserve("openai", "chat", 1)
        def plain(hold):
            hold.settle(2)

        async def work():
            self.assertEqual(await asyncio.gather(*(ask(Decimal("0.125")) for _ in range(8))), [Decimal("0.125")] * 8)
            await ask_too()
            self.assertEqual([token async for token in tokens()], ["a", None])
            stream = tokens()
            self.assertEqual((await stream.__anext__(), await stream.asend("b")), ("a", "b"))
            await stream.aclose()
            await asyncio.get_running_loop().run_in_executor(None, plain)

        self.assertEqual((ask.__name__, inspect.iscoroutinefunction(ask)), ("ask", True))
        self.run_async(work())
        self.assertEqual((self.ledger.total(), self.ledger.held()), (5, []))

    def test_the_loop_goes_on_beside_an_agent_that_hangs(self):
        async def work():
            self.ledger.signal(signal.SIGSTOP)
            ticks = []

            async def tick():
                while True:
                    ticks.append(time.monotonic())
                    await asyncio.sleep(0.01)

            ticking = asyncio.ensure_future(tick())

            async def block():
                async with aio.reserve("openai", "chat", 1, timeout=1) as hold:
                    aio.record("openai", "chat", "0.25")
                    await hold.settle("0.25")

            began = time.monotonic()
            # More than there are threads that ask.
            await asyncio.gather(*(block() for _ in range(40)))
            took = time.monotonic() - began
            ticking.cancel()
            self.ledger.signal(signal.SIGCONT)
            return took, max(after - before for before, after in zip(ticks, ticks[1:]))

        took, pause = self.run_async(work())
        self.assertLess(took, 12)
        self.assertLess(pause, 1)
        client.flush()
        within("all is recorded", lambda: self.ledger.total() == 20)
        within("nothing is held", lambda: self.ledger.held() == [])

    def test_a_cancelled_task_loses_no_cost_and_leaves_no_hold(self):
        async def work():
            async def settles():
                async with aio.reserve("openai", "chat", 1) as hold:
                    asyncio.get_running_loop().call_soon(task.cancel)
                    await hold.settle("0.25")
                    await asyncio.sleep(30)

            task = asyncio.ensure_future(settles())
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.ledger.signal(signal.SIGSTOP)
            asked, post = threading.Event(), aio._client._agent.post_json

            def noted(target, fields, seconds):
                if target == "/reservations":
                    asked.set()
                return post(target, fields, seconds)

            aio._client._agent.post_json = noted
            self.addCleanup(delattr, aio._client._agent, "post_json")

            async def asks():
                async with aio.reserve("openai", "chat", 1, timeout=30):
                    self.fail("the block runs")

            asking = asyncio.ensure_future(asks())
            # Not a while later: somebody who asks an agent that hangs goes on without it after a second or so.
            self.assertTrue(await asyncio.get_running_loop().run_in_executor(None, asked.wait, 60))
            asking.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await asking
            self.ledger.signal(signal.SIGCONT)

        self.run_async(work())
        within("it is recorded", lambda: self.ledger.total() == Decimal("0.25"))
        within("nothing is held", lambda: self.ledger.held() == [] and len(self.ledger.get("/reservations")[1]) == 0)

    def test_without_an_agent_the_cost_is_recorded_later(self):
        self.use(dead_url())

        async def work():
            async with aio.reserve("openai", "chat", 1) as hold:
                self.assertFalse(hold.is_reserved)
                hold.settle("0.25", usage=OPENAI_CHAT)
            return await aio.flush()

        self.assertTrue(self.run_async(work()))
        self.assertEqual([event["amount_usd"] for event in self.spooled()], ["0.25"])

    def test_a_forked_child_has_threads_of_its_own(self):
        async def block(amount):
            async with aio.reserve("openai", "chat", 1) as hold:
                await hold.settle(amount)

        self.run_async(block(1))
        child = os.fork()
        if child == 0:
            self.run_async(block(2))
            os._exit(0 if client.flush() else 1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(self.ledger.total(), 3)


if __name__ == "__main__":
    unittest.main()
