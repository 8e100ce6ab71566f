"""`record` and `flush` with the real agent. Guards against: money that is lost, changed or counted twice; a call that raises."""

import json
import logging
import threading
import time
import unittest
from decimal import Decimal
from fractions import Fraction

from support import Case, within
from answers import ANTHROPIC, OPENAI_CHAT, as_object
from test_values import Broken, BrokenText


class Recording(Case):
    def test_a_call_is_in_the_ledger_with_all_that_was_told(self):
        agent = self.agent()
        client = self.client(agent)
        told = dict(model="gpt-4o", worker="w7", batch_id="b1", lead_id="lead-9", source="crm", duration_seconds=1.5, outcome="error")
        told.update(usage={"input_tokens": 1000, "seconds": 2.5}, attributes={"team": "ä", "n": [1, None]}, revision=2)
        self.assertEqual(client.record("openai", "chat", "0.00235", id="call-1", time="2026-11-22T10:00:00Z".replace("2026-11-22", time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))), **told), "call-1")
        self.assertTrue(client.flush())
        (event,) = agent.events()
        for key, value in {**told, "service": "openai", "operation": "chat", "id": "call-1"}.items():
            self.assertEqual(json.loads(json.dumps(event[key], default=float)), value, key)
        self.assertEqual(event["amount_usd"], Decimal("0.00235"))
        self.assertEqual(client.stats(), {"recorded": 1, "duplicates": 0, "rejected": 0, "dropped": 0, "queued": 0})

    def test_through_the_unix_socket_no_token_is_needed(self):
        path = str(self.folder / "agent.sock")
        agent = self.agent(API_TOKEN="secret", WRITE_SOCKET=path)
        client = self.client(url="unix:" + path)
        client.record("openai", "chat", "0.5")
        self.assertTrue(client.flush())
        with client.reserve("openai", "chat", 1) as hold:
            hold.settle("0.25")
        self.assertEqual(agent.total(), Decimal("0.75"))

    def test_amounts_are_exact_whatever_their_type(self):
        agent = self.agent()
        client = self.client(agent)
        for amount in (0.1, 0.2, Decimal("0.000000000001"), "1e-05", 1, Fraction(1, 8), 0.0023550000000000003):
            client.record("openai", "chat", amount)
        client.record("openai", "chat", "-0.125", kind="credit")
        self.assertTrue(client.flush())
        self.assertEqual(agent.total(), Decimal("1.302365000001"))

    def test_an_id_of_ones_own_counts_once(self):
        agent = self.agent()
        client = self.client(agent)
        for _ in range(3):
            client.record("openai", "chat", 1, id="same")
        client.flush()
        self.assertEqual(agent.total(), 1)
        client.record("openai", "chat", 2, id="same", revision=1)
        client.flush()
        self.assertEqual(agent.total(), 2)

    def test_a_whole_answer_is_recorded_under_the_providers_id(self):
        agent = self.agent()
        client = self.client(agent)
        self.assertEqual(client.record("openai", "chat", "0.002", usage=as_object(OPENAI_CHAT)), "chatcmpl-1")
        self.assertEqual(client.record("anthropic", "chat", "0.002355", usage=ANTHROPIC), "msg_1")
        client.record("openai", "chat", "0.5", usage=OPENAI_CHAT, id="mine")
        client.flush()
        found = {(event.get("source", ""), event["id"]): event for event in agent.events()}
        self.assertEqual(sorted(found), [("", "mine"), ("call:anthropic", "msg_1"), ("call:openai", "chatcmpl-1")])
        self.assertEqual(found["call:openai", "chatcmpl-1"]["model"], "gpt-4o-2024-08-06")
        self.assertEqual(found["call:anthropic", "msg_1"]["usage"]["cached_input_tokens"], 600)

    def test_the_same_answer_recorded_twice_counts_once(self):
        agent = self.agent()
        client = self.client(agent)
        client.record("openai", "chat", "0.002", usage=OPENAI_CHAT)
        client.flush()
        client.record("openai", "chat", "0.002", usage=OPENAI_CHAT)
        client.flush()
        self.assertEqual(agent.total(), Decimal("0.002"))

    def test_threads_and_thousands_of_calls(self):
        agent = self.agent()
        client = self.client(agent)

        def work(number):
            for n in range(1_500):
                client.record("openai", f"op-{number}", "0.0001", id=f"{number}-{n}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(client.flush())
        # What did not fit into the queue is on disk, and sent like everything else.
        within("all is recorded", lambda: agent.total() == Decimal("1.2"))
        self.assert_spool_empties()
        self.assertEqual(client.stats()["dropped"] + client.stats()["rejected"], 0)

    def test_flush_waits_for_other_threads_calls_too(self):
        agent = self.agent()
        client = self.client(agent)
        for n in range(50):
            client.record("openai", "chat", 1)
            threads = [threading.Thread(target=client.flush) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if n % 10 == 9:
                self.assertEqual(agent.total(), n + 1)

    def test_off_records_nothing_and_says_nothing(self):
        client = self.client(url="off")
        with self.assertNoLogs("lead_factory_metrics") if hasattr(self, "assertNoLogs") else self.subTest():
            self.assertIsNotNone(client.record("openai", "chat", 1))
            with client.reserve("openai", "chat", 1, on_unreachable="raise") as hold:
                hold.settle(1)
            self.assertTrue(client.flush())
        self.assertEqual(self.spooled(), [])


class BadValues(Case):
    def test_are_logged_and_take_nothing_along(self):
        agent = self.agent()
        client = self.client(agent)
        bad = [float("nan"), -1, "abc", object(), None, Decimal("sNaN"), 10**5000, True, Broken(), [], "1" * 10_000, 2_000_000]
        with self.assertLogs("lead_factory_metrics", logging.ERROR) as logs:
            for amount in bad:
                self.assertIsNone(client.record("openai", "chat", amount))
            for name in ("", None, " x", "x" * 200, "a\nb", Broken(), 1.5, "\ud800"):
                self.assertIsNone(client.record(name, "chat", 1))
                self.assertIsNone(client.record("openai", name, 1))
        self.assertEqual(client.stats()["dropped"], len(bad) + 16)
        self.assert_logged(logs, "amount_usd is not finite", "service is empty", "no usage from which")
        client.record("openai", "chat", "0.25")
        self.assertTrue(client.flush())
        self.assertEqual(agent.total(), Decimal("0.25"))

    def test_wrong_arguments_are_logged_as_well(self):
        client = self.client()
        with self.assertLogs("lead_factory_metrics", logging.ERROR) as logs:
            client.record()
            client.record("openai", "chat", amout_usd=1)
            client.record("openai", "chat", 1, 2, 3)
        self.assert_logged(logs, "amout_usd")
        self.assertEqual(self.spooled(), [])

    def test_beside_the_amount_are_left_out_and_the_money_stays(self):
        agent = self.agent()
        client = self.client(agent)
        labels = ("x" * 201, " x", Broken(), 1.5, "a\u200bb")
        for label in labels:
            client.record("openai", "chat", 1, model=label, worker=label, batch_id=label, lead_id=label)
        circular = {}
        circular["c"] = circular
        for value in (circular, {"x": "y" * 5000}, "text", {"n": float("nan")}, Broken(), {1: 2, "1": 3}, {"n": 10**5000}):
            client.record("openai", "chat", 1, attributes=value)
        for value in ({"n": -1}, {"n": float("inf")}, Broken(), "many", {str(n): n for n in range(20)}, [1], {"": 1}):
            client.record("openai", "chat", 1, usage=value)
        for value in ("yesterday", Broken(), float("nan"), 1e300):
            client.record("openai", "chat", 1, time=value)
        client.record("openai", "chat", 1, id="x" * 201, source=Broken(), outcome="maybe", revision=-1, duration_seconds=-1, kind="gift")
        client.record(BrokenText("openai"), "chat", 1, usage_raw={"a": Broken()})
        self.assertTrue(client.flush())
        self.assertEqual(agent.total(), len(labels) + 7 + 7 + 4 + 2)
        self.assertEqual(client.stats()["rejected"], 0)

    def test_that_only_the_agent_sees_do_not_take_their_batch_along(self):
        agent = self.agent(MAX_EVENT_USD="5")
        client = self.client(agent)
        agent.signal(19)  # SIGSTOP: so that they are one batch
        for n in range(20):
            client.record("openai", "chat", 6 if n % 2 else 1)
        client.record("openai", "chat", 1, time="2001-01-01T00:00:00Z")
        with self.assertLogs("lead_factory_metrics", logging.ERROR) as logs:
            agent.signal(18)
            self.assertTrue(client.flush())
            within("all are answered", lambda: sum(client.stats().values()) >= 21)
        self.assertEqual(agent.total(), 10)
        self.assertEqual(client.stats()["rejected"], 11)
        self.assert_logged(logs, "the agent rejects a call (openai chat 6")
        self.assertEqual(self.spooled(), [])

    def test_a_request_that_is_too_large_is_cut(self):
        agent = self.agent(MAX_BODY_BYTES="1024", MAX_EVENTS_PER_REQUEST="3")
        client = self.client(agent)
        for _ in range(40):
            client.record("openai", "chat", 1, attributes={"x": "y" * 100})
        client.record("openai", "chat", 1, attributes={"x": "y" * 2000})
        self.assertTrue(client.flush())
        within("all are recorded", lambda: agent.total() == 40)
        within("one does not fit", lambda: client.stats()["rejected"] == 1)

    def test_at_the_bottom_of_a_recursion_nothing_is_raised_either(self):
        code = """
            def deeper():
                record("openai", "chat", 1)
                deeper()
            sys.setrecursionlimit(300)
            try:
                deeper()
            except RecursionError as bottom:
                import traceback
                frames = [frame.name for frame in traceback.extract_tb(bottom.__traceback__)]
                print(set(frames) <= {"<module>", "deeper", "call"}, flush=True)
            os._exit(0)
        """
        self.assertEqual(self.worker(code, "http://127.0.0.1:1", PYTHONDEVMODE=""), "True\n")

    def test_a_log_that_raises_is_no_reason_to_raise(self):
        def raising(record):
            raise RuntimeError("a filter of the application")

        logger = logging.getLogger("lead_factory_metrics")
        logger.addFilter(raising)
        try:
            self.assertIsNone(self.client().record("openai", "chat", float("nan")))
        finally:
            logger.removeFilter(raising)


class Clocks(Case):
    def test_a_clock_that_differs_from_the_agents_loses_nothing(self):
        agent = self.agent()
        client = self.client(agent)
        with self.assertLogs("lead_factory_metrics", logging.WARNING) as logs:
            client.record("openai", "chat", 1, time=time.time() + 7200)
            client.record("openai", "chat", 1)
            self.assertTrue(client.flush())
        self.assert_logged(logs, "clock")
        self.assertEqual(agent.total(), 2)

    def test_what_is_old_by_every_clock_is_too_old(self):
        agent = self.agent()
        client = self.client(agent)
        client.record("openai", "chat", 1, time=time.time() - 50 * 86400)
        client.flush()
        self.assertEqual((agent.total(), client.stats()["rejected"]), (0, 1))

    def test_a_clock_that_jumps_does_not_hold_anything_up(self):
        """The wall clock of the worker jumps by years while it works; waits follow the other clock."""
        agent = self.agent()
        code = """
            real = time.time
            record("openai", "chat", 1)
            flush()
            time.time = lambda: real() + 400 * 86400
            record("openai", "chat", 2)
            flush()
            time.time = lambda: 0.0
            record("openai", "chat", 4)
            print(flush(), stats()["recorded"])
        """
        self.assertEqual(self.worker(code, agent.url), "True 3\n")
        self.assertEqual(agent.total(), 7)


if __name__ == "__main__":
    unittest.main()
