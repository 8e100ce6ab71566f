"""Reservations with the real agent. Guards against: a limit that is passed, money that stays held, an exception that is changed or
swallowed, a cost that is lost because it was reserved for."""

import copy
import functools
import pickle
import signal
import threading
import time
import traceback
import unittest
from decimal import Decimal

from support import Case, dead_url, free_port, http_answer, within  # First: it knows the path to the sources.

from lead_factory_metrics import LeadFactoryMetricsError, Refused, Unreachable
from lead_factory_metrics.transport import Unanswered
from answers import ANTHROPIC, OPENAI_CHAT, as_object

DEAD = dead_url()


class Blocks(Case):
    def test_money_is_held_during_the_block_and_settled_with_the_cost(self):
        agent = self.agent()
        client = self.client(agent)
        with client.reserve("openai", "chat", "0.5", worker="w", batch_id="b", lead_id="l", ttl_seconds=300) as hold:
            (item,) = agent.held()
            self.assertEqual((item["reservation_id"], item["estimated_cost_usd"]), (hold.id, Decimal("0.5")))
            self.assertTrue(hold.is_reserved)
            self.assertEqual(hold.expires_at[:19], item["expires_at"][:19])
            hold.settle("0.0173", usage={"input_tokens": 7}, model="m", outcome="error", attributes={"k": 1})
            self.assertEqual(agent.held(), [], "at once")
        (event,) = agent.events()
        found = {key: event[key] for key in ("id", "amount_usd", "worker", "batch_id", "lead_id", "model", "usage", "outcome")}
        self.assertEqual(
            found,
            dict(id=hold.id, amount_usd=Decimal("0.0173"), worker="w", batch_id="b", lead_id="l", model="m", usage={"input_tokens": 7}, outcome="error"),
        )
        self.assertEqual(agent.get(f"/reservations/{hold.id}")[1]["state"], "committed")

    def test_a_block_without_a_cost_releases(self):
        agent = self.agent()
        with self.client(agent).reserve("openai", "chat", 1) as hold:
            pass
        self.assertEqual((agent.get(f"/reservations/{hold.id}")[1]["state"], agent.total(), hold.state), ("released", 0, "released"))

    def test_a_block_that_raises_releases_and_its_exception_goes_on_unchanged(self):
        agent = self.agent()
        client = self.client(agent)
        for error in (ValueError("mine"), KeyboardInterrupt(), SystemExit(3), GeneratorExit()):
            cause = KeyError("cause")
            with self.assertRaises(type(error)) as caught:
                with client.reserve("openai", "chat", 1) as hold:
                    raise error from cause
            self.assertIs(caught.exception, error)
            self.assertIs(error.__cause__, cause)
            self.assertIsNone(error.__context__)
            self.assertNotIn("During handling", "".join(traceback.format_exception(type(error), error, error.__traceback__)))
            self.assertEqual(agent.get(f"/reservations/{hold.id}")[1]["state"], "released")

    def test_a_block_that_raises_after_it_settled_has_cost_what_it_cost(self):
        agent = self.agent()
        with self.assertRaises(ValueError):
            with self.client(agent).reserve("openai", "chat", 1) as hold:
                hold.settle("0.25")
                raise ValueError
        self.assertEqual((agent.total(), agent.get(f"/reservations/{hold.id}")[1]["state"]), (Decimal("0.25"), "committed"))

    def test_the_real_cost_counts_also_above_the_estimate_and_the_limit(self):
        agent = self.agent(DAILY_BUDGET="1")
        with self.client(agent).reserve("openai", "chat", "0.5") as hold:
            hold.settle(3)
        self.assertEqual(agent.total(), 3)

    def test_the_first_settlement_stands(self):
        agent = self.agent()
        with self.client(agent).reserve("openai", "chat", 1) as hold:
            hold.settle("0.25")
            hold.settle("0.5")
            hold.release()
        self.assertEqual(agent.total(), Decimal("0.25"))
        hold.settle(9)
        hold.release()
        self.assertEqual(agent.total(), Decimal("0.25"))

    def test_a_settlement_that_cannot_be_read_is_none(self):
        agent = self.agent()
        with self.assertLogs("lead_factory_metrics") as logs:
            with self.client(agent).reserve("openai", "chat", 1) as hold:
                hold.settle(float("nan"))
                hold.settle(object())
                hold.settle()
                hold.settle("0.125")
        self.assert_logged(logs, "amount_usd is not finite")
        self.assertEqual(agent.total(), Decimal("0.125"))

    def test_a_hold_that_expired_is_settled_all_the_same(self):
        agent = self.agent()
        client = self.client(agent)
        with client.reserve("openai", "chat", 1, ttl_seconds=1) as hold:
            within("it expires", lambda: not agent.held())
            hold.settle("0.25")
        self.assertEqual((agent.total(), agent.get(f"/reservations/{hold.id}")[1]["state"]), (Decimal("0.25"), "committed"))

    def test_a_hold_can_be_extended(self):
        agent = self.agent()
        with self.client(agent).reserve("openai", "chat", 1) as hold:
            before = hold.expires_at
            self.assertTrue(hold.extend(3600))
            self.assertGreater(hold.expires_at, before)
            self.assertEqual(agent.held()[0]["expires_at"], hold.expires_at)
            self.assertFalse(hold.extend(10**9))
            self.assertFalse(hold.extend("long"))
        self.assertFalse(hold.extend(60))

    def test_a_whole_answer_settles_with_its_model_and_keeps_its_id(self):
        agent = self.agent()
        with self.client(agent).reserve("anthropic", "chat", 1) as hold:
            hold.settle("0.002355", usage=as_object(ANTHROPIC))
        (event,) = agent.events()
        self.assertEqual((event["id"], event["model"]), (hold.id, "claude-sonnet-4-5-20250929"))
        self.assertEqual((event["usage"]["cached_input_tokens"], event["attributes"]), (600, {"response_id": "msg_1"}))

    def test_one_reservation_object_serves_many_blocks_and_nested_ones(self):
        agent = self.agent()
        reservation = self.client(agent).reserve("openai", "chat", 1)
        with reservation as outer, reservation as inner:
            self.assertNotEqual(outer.id, inner.id)
            inner.settle(1)
        with reservation as third:
            third.settle(2)
        self.assertEqual(agent.total(), 3)
        self.assertEqual(agent.get(f"/reservations/{outer.id}")[1]["state"], "released")


class Refusals(Case):
    def test_name_the_budget_and_the_block_does_not_run(self):
        agent = self.agent(OPENAI_DAILY_CAP="1")
        client = self.client(agent)
        client.record("openai", "chat", "0.75")
        client.flush()
        with self.assertRaises(Refused) as caught:
            with client.reserve("openai", "chat", "0.5"):
                self.fail("the block runs")
        refused = caught.exception
        self.assertEqual((refused.budget, refused.reason, refused.remaining_usd), ("openai-daily", "budget-exhausted", Decimal("0.25")))
        self.assertEqual((refused.key, refused.remaining_usage), (None, {}))
        self.assertIn("openai-daily", str(refused))
        self.assertIsNotNone(refused.period_end)
        self.assertIsInstance(refused, LeadFactoryMetricsError)
        for again in (pickle.loads(pickle.dumps(refused)), copy.copy(refused)):
            self.assertEqual((again.budget, str(again)), (refused.budget, str(refused)))
        self.assertEqual(agent.total(), Decimal("0.75"))

    def test_by_a_budget_of_usage_tell_whose_it_is_and_what_is_left(self):
        problem = (
            '{"type":"/problems/budget-exhausted","title":"Budget exhausted","status":409,"detail":"no","budget":"tokens","key":"acme",'
            '"remaining_usd":null,"remaining_usage":{"input_tokens":250.5,"odd":"x"},"period_end":null}'
        )
        client = self.client(url=self.peer(http_answer(409, problem, "application/problem+json")).url)
        with self.assertRaises(Refused) as caught:
            with client.reserve("openai", "chat", 0, usage={"input_tokens": 300}, lead_id="ACME"):
                self.fail("the block runs")
        refused = caught.exception
        self.assertEqual((refused.budget, refused.key, refused.remaining_usd, refused.period_end), ("tokens", "acme", None, None))
        self.assertEqual(refused.remaining_usage, {"input_tokens": Decimal("250.5")})
        self.assertEqual(copy.copy(refused).remaining_usage, refused.remaining_usage)

    def test_by_a_closed_gate_name_the_gate(self):
        agent = self.agent()
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", agent.port)
        connection.request("PUT", "/scaling-gate", '{"state":"active","reason":"a test"}', {"Content-Type": "application/json"})
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        with self.assertRaises(Refused) as caught:
            with self.client(agent).reserve("openai", "chat", "0.5"):
                self.fail("the block runs")
        self.assertEqual((caught.exception.reason, caught.exception.budget), ("gate-active", None))
        self.assertIn("gate", str(caught.exception))

    def test_never_let_many_workers_pass_the_limit(self):
        # A gate far above the limit: it would refuse the tenth where the nine before it are settled already.
        agent = self.agent(DAILY_BUDGET="1", SCALING_GATE_DAILY_THRESHOLD="10")
        client = self.client(agent)
        granted, refused = [], []

        def work():
            for _ in range(10):
                try:
                    with client.reserve("openai", "chat", "0.1", timeout=60) as hold:
                        assert hold.is_reserved
                        hold.settle("0.1")
                    granted.append(hold)
                except Refused as no:
                    refused.append(no)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.flush()
        self.assertEqual((len(granted), len(refused), agent.total()), (10, 50, 1))

    def test_a_critical_operation_is_granted(self):
        agent = self.agent(DAILY_BUDGET="0")
        with self.client(agent).reserve("openai", "health_check", "0.5") as hold:
            self.assertTrue(hold.is_critical)


class Unreached(Case):
    def test_the_block_runs_and_its_cost_is_recorded_later(self):
        client = self.client(url=DEAD)
        with self.assertLogs("lead_factory_metrics") as logs:
            with client.reserve("openai", "chat", 1, worker="w") as hold:
                self.assertFalse(hold.is_reserved)
                hold.settle("0.25")
        self.assert_logged(logs, "runs without a reservation")
        self.assertTrue(client.flush())
        (event,) = self.spooled()
        self.assertEqual((event["id"], event["amount_usd"], event["worker"]), (hold.id, "0.25", "w"))

    def test_or_raises_where_that_is_asked(self):
        client = self.client(url=DEAD)
        with self.assertRaises(Unreachable) as caught:
            with client.reserve("openai", "chat", 1, on_unreachable="raise"):
                self.fail("the block runs")
        self.assertIsInstance(caught.exception, LeadFactoryMetricsError)
        with self.assertRaises(ValueError):
            client.reserve("openai", "chat", 1, on_unreachable="rise")

    def test_asking_takes_bounded_time(self):
        for peer in (self.peer(hang=True), self.peer(b"")):
            client = self.client(url=peer.url)
            began = time.monotonic()
            with client.reserve("openai", "chat", 1, timeout=0.5) as hold:
                hold.settle(1)
            self.assertLess(time.monotonic() - began, 4)
            client.close(0)

    def test_an_agent_that_hangs_does_not_hold_up_block_after_block(self):
        agent = self.agent()
        client = self.client(agent)
        client.flush()
        agent.signal(signal.SIGSTOP)
        client.record("openai", "chat", 1)
        began = time.monotonic()
        for _ in range(4):
            with client.reserve("openai", "chat", 1, timeout=1) as hold:
                hold.settle("0.25")
        self.assertLess(time.monotonic() - began, 16)
        agent.signal(signal.SIGCONT)
        self.assertTrue(client.flush())
        within("all is recorded", lambda: agent.total() == 2)
        self.assertEqual(agent.held(), [], "a hold that was granted after all is ended by its cost")

    def test_a_hold_granted_by_a_lost_answer_is_released(self):
        """As when the connection breaks between the grant and its answer."""
        agent = self.agent()
        client = self.client(agent)
        post = client._agent.post_json

        def unheard(target, fields, seconds):
            answer = post(target, fields, seconds)
            if target == "/reservations":
                raise Unanswered("the connection broke")
            return answer

        client._agent.post_json = unheard
        with client.reserve("openai", "chat", 1) as hold:
            self.assertFalse(hold.is_reserved)
            self.assertEqual([item["reservation_id"] for item in agent.held()], [hold.id])
        within("it is released", lambda: agent.get(f"/reservations/{hold.id}")[1].get("state") == "released")

    def test_a_release_that_overtakes_its_reservation_is_repeated(self):
        """As when both wait for a busy agent on connections of their own."""
        agent = self.agent()
        client = self.client(agent)
        post = client._agent.post_json
        late = []

        def slowly(target, fields, seconds):
            if target == "/reservations":
                late.append(fields)
                raise Unanswered("it is on its way")
            return post(target, fields, seconds)

        client._agent.post_json = slowly
        with client.reserve("openai", "chat", 1) as hold:
            pass
        self.assertEqual(agent.get(f"/reservations/{hold.id}")[0], 404)
        post("/reservations", late[0], 5)
        within("it is released", lambda: agent.get(f"/reservations/{hold.id}")[1].get("state") == "released")

    def test_a_wrong_token_and_a_foreign_answer_are_no_refusal(self):
        agent = self.agent(API_TOKEN="right")
        client = self.client(agent, token="wrong")
        with client.reserve("openai", "chat", 1) as hold:
            self.assertFalse(hold.is_reserved)
        with self.assertRaises(Unreachable) as caught:
            with client.reserve("openai", "chat", 1, on_unreachable="raise"):
                self.fail("the block runs")
        self.assertIn("unauthorized", str(caught.exception))

    def test_a_yes_of_something_that_is_not_the_agent_is_none(self):
        for body in ("{}", '{"state":"held"}', '{"reservation_id":"another"}', "[]", '"yes"'):
            client = self.client(url=self.peer(http_answer(200, body, "application/json")).url)
            with client.reserve("openai", "chat", 1) as hold:
                self.assertFalse(hold.is_reserved, body)
            client.close(0)

    def test_terms_that_are_wrong_are_no_reason_not_to_work(self):
        agent = self.agent()
        client = self.client(agent)
        for terms in [("openai", "chat", float("nan")), ("openai", "chat", None), ("", "chat", 1), (None, None, object())]:
            with self.assertLogs("lead_factory_metrics") as logs:
                with client.reserve(*terms) as hold:
                    self.assertFalse(hold.is_reserved)
                    hold.settle("0.5")
            self.assert_logged(logs, "what was asked for is wrong")
        with client.reserve("openai", "chat", 1, ttl_seconds=0, timeout="soon", worker="ok") as hold:
            hold.settle("0.5")
        with client.reserve("openai", "chat", 5_000_000) as hold:
            pass
        client.flush()
        self.assertEqual(agent.total(), Decimal("1.5"))

    def test_an_id_that_is_somebody_elses_is_not_settled(self):
        agent = self.agent()
        client = self.client(agent)
        client.record("openai", "chat", 1, id="taken")
        client.flush()
        with client.reserve("openai", "chat", 1, id="taken") as hold:
            self.assertFalse(hold.is_reserved)
            hold.settle("0.5")
        client.flush()
        self.assertEqual(agent.total(), Decimal("1.5"))


class Restarts(Case):
    def test_settling_survives_the_agents_restart(self):
        agent = self.agent()
        client = self.client(agent)
        with client.reserve("openai", "chat", 1) as hold:
            agent.kill()
            hold.settle("0.25")
        self.assertTrue(client.flush())
        self.assertEqual(len(self.spooled()), 1)
        agent.start(agent.port)
        within("it is settled", lambda: agent.get(f"/reservations/{hold.id}")[1]["state"] == "committed")
        self.assertEqual((agent.total(), agent.held()), (Decimal("0.25"), []))

    def test_settling_survives_the_workers_end_too(self):
        agent = self.agent()
        code = """
            with reserve("openai", "chat", 1) as hold:
                print(hold.id, flush=True)
                os.kill(int(os.environ["AGENT"]), 9)
                time.sleep(0.3)
                hold.settle("0.25")
        """
        said = self.worker(code, agent.url, AGENT=str(agent.process.pid))
        agent.process.wait()
        agent.start(free_port())
        self.worker("pass", agent.url)
        self.assertEqual(agent.get(f"/reservations/{said.strip()}")[1]["state"], "committed")
        self.assertEqual(agent.total(), Decimal("0.25"))

    def test_a_release_survives_the_agents_restart(self):
        agent = self.agent()
        client = self.client(agent)
        with client.reserve("openai", "chat", 1, ttl_seconds=600) as hold:
            agent.kill()
        agent.start(agent.port)
        client.flush()
        within("it is released", lambda: agent.get(f"/reservations/{hold.id}")[1]["state"] == "released")


class Decorators(Case):
    def setUp(self):
        super().setUp()
        self.ledger = self.agent(DAILY_BUDGET="10")
        self.ours = self.client(self.ledger)

    def test_a_function_that_takes_the_hold_gets_it(self):
        @self.ours.reserve("openai", "chat", "0.5")
        def ask(question, hold=None):
            """Asks."""
            hold.settle("0.25")
            return question * 2

        self.assertEqual((ask(2), ask(3)), (4, 6))
        self.assertEqual((ask.__name__, ask.__doc__), ("ask", "Asks."))
        self.assertEqual(self.ledger.total(), Decimal("0.5"))
        self.assertEqual(self.ledger.held(), [])

    def test_a_function_that_returns_an_answer_is_settled_by_it(self):
        event = []
        record_now = self.ours._record_now
        self.ours._record_now = lambda ready, seconds: event.append(ready) or record_now(ready, seconds)

        @self.ours.reserve("openai", "chat", "0.5")
        def ask():
            return as_object(OPENAI_CHAT)

        self.assertEqual(ask().id, "chatcmpl-1")
        self.assertIn('"model":"gpt-4o-2024-08-06"', event[0].line)
        self.assertNotIn("amount_usd", event[0].line)

    def test_a_function_without_a_cost_releases(self):
        @self.ours.reserve("openai", "chat", "0.5")
        def ask():
            return {"input_tokens": 5}

        ask()
        self.assertEqual((self.ledger.total(), self.ledger.held()), (0, []))

    def test_a_refusal_keeps_the_function_from_running(self):
        ran = []

        @self.ours.reserve("openai", "chat", 11)
        def ask():
            ran.append(1)

        with self.assertRaises(Refused):
            ask()
        self.assertEqual(ran, [])

    def test_an_exception_of_the_function_goes_on(self):
        @self.ours.reserve("openai", "chat", 1)
        def ask():
            raise KeyError("mine")

        with self.assertRaises(KeyError):
            ask()
        self.assertEqual(self.ledger.held(), [])

    def test_a_generator_holds_the_money_until_it_ends(self):
        @self.ours.reserve("openai", "chat", 1)
        def tokens(hold):
            got = yield "a"
            self.assertEqual(len(self.ledger.held()), 1)
            yield got
            hold.settle("0.25")
            return "done"

        running = tokens()
        self.assertEqual((next(running), running.send("b")), ("a", "b"))
        with self.assertRaises(StopIteration) as ended:
            next(running)
        self.assertEqual(ended.exception.value, "done")
        self.assertEqual((self.ledger.total(), self.ledger.held()), (Decimal("0.25"), []))
        half = tokens()
        next(half)
        half.close()
        self.assertEqual(self.ledger.held(), [])

    def test_calls_that_overlap_have_holds_of_their_own(self):
        barrier = threading.Barrier(4)

        @self.ours.reserve("openai", "chat", 1)
        def ask(amount, hold):
            barrier.wait(30)
            hold.settle(amount)

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((self.ledger.total(), self.ledger.held()), (10, []))

    def test_methods_builtins_and_partials_can_be_decorated(self):
        class Worker:
            @self.ours.reserve("openai", "chat", 1)
            def ask(self, hold):
                hold.settle(1)
                return self

        worker = Worker()
        self.assertIs(worker.ask(), worker)
        self.assertEqual(self.ours.reserve("openai", "chat", 1)(len)("abc"), 3)
        self.assertEqual(self.ours.reserve("openai", "chat", 1)(functools.partial(max, 3))(2), 3)


if __name__ == "__main__":
    unittest.main()
