"""The agent is stopped, killed, hung, moved, or something else answers. Guards against: a lost call, a call counted twice, a caller
that waits."""

import json
import logging
import os
import signal
import time
import unittest
from decimal import Decimal

from support import Case, Peer, dead_url, free_port, http_answer, within


class Away(Case):
    def test_calls_wait_on_disk_until_the_agent_is_back(self):
        agent = self.agent()
        client = self.client(agent)
        client.record("openai", "chat", 1)
        client.flush()
        agent.stop()
        for _ in range(10):
            client.record("openai", "chat", 1)
        self.assertTrue(client.flush())
        self.assertEqual(len(self.spooled()), 10)
        agent.start(agent.port)
        within("all is recorded", lambda: agent.total() == 11)
        self.assert_spool_empties()

    def test_a_killed_agent_and_its_lost_answers_count_once(self):
        agent = self.agent()
        client = self.client(agent)
        for turn in range(4):
            for n in range(300):
                client.record("openai", "chat", "0.01", id=f"{turn}-{n}")
                if n == 150 + turn * 30:
                    agent.kill()
            agent.start(agent.port)
        self.assertTrue(client.flush())
        within("all is recorded", lambda: agent.total() == 12)

    def test_a_worker_that_is_killed_after_flush_loses_nothing(self):
        agent = self.agent()
        agent.stop()
        code = """
            import signal
            for n in range(500):
                record("openai", "chat", "0.01", id=str(n))
            assert flush()
            os.kill(os.getpid(), signal.SIGKILL)
        """
        worker = self.worker(code, agent.url, wait=False)
        self.assertEqual(worker.wait(timeout=60), -signal.SIGKILL)
        self.assertEqual(len(self.spooled()), 500)
        agent.start(free_port())
        self.worker("record('openai', 'chat', '0.5')", agent.url)
        self.assertEqual(agent.total(), Decimal("5.5"))
        self.assert_spool_empties()

    def test_an_agent_that_is_stopped_by_a_signal_holds_up_nobody(self):
        agent = self.agent()
        client = self.client(agent)
        client.record("openai", "chat", 1)
        client.flush()
        agent.signal(signal.SIGSTOP)
        began = time.monotonic()
        for _ in range(1000):
            client.record("openai", "chat", "0.001")
        self.assertLess(time.monotonic() - began, 1.5)
        self.assertTrue(client.flush())
        self.assertLess(time.monotonic() - began, 6)
        self.assertEqual({event["id"] for event in self.spooled()} and len({event["id"] for event in self.spooled()}), 1000)
        agent.signal(signal.SIGCONT)
        within("all is recorded", lambda: agent.total() == 2)
        self.assert_spool_empties()

    def test_a_worker_ends_in_time_beside_a_stopped_agent_and_the_next_one_sends(self):
        agent = self.agent()
        agent.signal(signal.SIGSTOP)
        began = time.monotonic()
        self.worker("for n in range(100): record('openai', 'chat', 1)", agent.url)
        self.assertLess(time.monotonic() - began, 8)
        self.assertEqual(len(self.spooled()), 100)
        agent.signal(signal.SIGCONT)
        self.worker("pass", agent.url)
        within("all is recorded", lambda: agent.total() == 100)
        self.assert_spool_empties()

    def test_the_address_is_read_anew(self):
        agent = self.agent()
        code = """
            record("openai", "chat", 1)
            assert flush()
            print("ready", flush=True)
            os.environ["LEAD_FACTORY_METRICS_URL"] = sys.stdin.readline().strip() or open(os.environ["NEXT"]).read()
            record("openai", "chat", 2)
            assert flush()
            print(stats()["recorded"])
        """
        agent.stop()
        old = agent.url
        agent.start(free_port())
        (self.folder / "next").write_text(agent.url)
        said = self.worker(code, old, NEXT=str(self.folder / "next"))
        self.assertEqual(said, "ready\n3\n".replace("3", "2"))
        self.assertEqual(agent.total(), 3)

    def test_what_answers_but_is_not_the_agent_gets_nothing_for_good(self):
        answers = [
            http_answer(200, "<html>Welcome to nginx!</html>"),
            http_answer(200, "{}", "application/json"),
            http_answer(200, '{"accepted":true,"duplicates":null}', "application/json"),
            http_answer(200, "[1]", "application/json"),
            http_answer(204, ""),
            http_answer(302, "", Location="http://127.0.0.1:1/"),
            http_answer(400, "<html>Bad Request</html>"),
            http_answer(404, '{"type":"about:blank","title":"Not Found"}', "application/problem+json"),
            http_answer(413, "too large"),
            http_answer(422, '{"detail":"Unprocessable"}', "application/json"),
            http_answer(502, "Bad Gateway"),
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"",
            b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{",
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
            b"\x15\x03\x01\x00\x02\x02\x46",
        ]
        for number, answer in enumerate(answers):
            with self.subTest(answer[:60]):
                peer = self.peer(answer)
                self.spool = self.folder / f"spool-{number}"
                client = self.client(url=peer.url)
                client.record("openai", "chat", 1)
                self.assertTrue(client.flush())
                self.assertEqual(len(self.spooled()), 1)
                self.assertEqual(client.stats()["recorded"] + client.stats()["rejected"], 0)

    def test_a_wrong_token_keeps_the_calls_until_there_is_a_right_one(self):
        agent = self.agent(API_TOKEN="right")
        wrong = self.client(agent, token="wrong")
        with self.assertLogs("lead_factory_metrics", logging.WARNING) as logs:
            wrong.record("openai", "chat", 1)
            self.assertTrue(wrong.flush())
        self.assert_logged(logs, "unauthorized")
        for token in ("line\nbreak", "ümlaut", "two words"):
            client = self.client(agent, token=token)
            client.record("openai", "chat", 1)
            self.assertTrue(client.flush())
            client.close()
        self.assertEqual(agent.total(), 0)
        wrong.close()
        right = self.client(agent, token="right\n")
        right.record("openai", "chat", 1)
        self.assertTrue(right.flush())
        within("all is recorded", lambda: agent.total() == 5)

    def test_an_agent_that_is_busy_is_asked_again(self):
        busy = http_answer(
            503, '{"type":"/problems/overloaded","title":"t","status":503}', "application/problem+json", Retry_After="1"
        )
        turns = []

        def answer(connection):
            turns.append(time.monotonic())
            good = http_answer(200, '{"accepted":1,"duplicates":0}', "application/json")
            connection.sendall(busy if len(turns) == 1 else good)

        peer = self.peer(answer)
        client = self.client(url=peer.url)
        client.record("openai", "chat", 1)
        within("it is recorded", lambda: client.stats()["recorded"] == 1)
        self.assertGreater(turns[1] - turns[0], 0.5)
        self.assert_spool_empties()

    def test_a_host_that_the_agent_does_not_serve_is_no_reason_to_drop(self):
        refusal = http_answer(400, '{"type":"/problems/malformed","title":"Host","status":400}', "application/problem+json")
        client = self.client(url=self.peer(refusal).url)
        client.record("openai", "chat", 1)
        client.record("openai", "chat", 1)
        self.assertTrue(client.flush())
        self.assertEqual(len(self.spooled()), 2)

    def test_an_event_that_makes_the_agent_stumble_does_not_keep_the_others(self):
        """It answers 500 whenever the one event is in the request, as with a fault in the agent."""
        recorded = []

        def answer(connection, body):
            events = [json.loads(line) for line in body.splitlines() if line != "[]"]
            if any(event["operation"] == "stumble" for event in events):
                fault = '{"type":"/problems/internal","title":"Internal error","status":500}'
                connection.sendall(http_answer(500, fault, "application/problem+json"))
                return
            new = {event["id"] for event in events} - set(recorded)
            recorded.extend(new)
            counts = json.dumps({"accepted": len(new), "duplicates": len(events) - len(new)})
            connection.sendall(http_answer(200, counts, "application/json"))

        peer = self.peer()
        peer.answer = lambda connection: answer(connection, peer.requests[-1][1])
        client = self.client(url=peer.url)
        for turn in range(5):
            for n in range(20):
                client.record("openai", "stumble" if n == 7 and turn == 1 else "chat", 1)
            self.assertTrue(client.flush())
        within("all but one are recorded", lambda: len(recorded) == 99)
        self.assertIn("stumble", {event["operation"] for event in self.spooled()})

    def test_a_peer_that_drips_does_not_keep_the_caller(self):
        def drip(connection):
            for byte in b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + b"X: y\r\n" * 10_000:
                connection.sendall(bytes([byte]))
                time.sleep(0.2)

        peer = self.peer(drip)
        client = self.client(url=peer.url)
        began = time.monotonic()
        with client.reserve("openai", "chat", 1, timeout=1):
            pass
        client.record("openai", "chat", 1)
        self.assertTrue(client.flush())
        self.assertLess(time.monotonic() - began, 9)
        self.assertEqual(len(self.spooled()), 1)

    def test_addresses_that_are_none_keep_the_calls(self):
        for number, url in enumerate(["nonsense", "ftp://x", "http://", "http://[::1", "http://x:y", "http://h\nX: y", "http://no.invalid", "http://ü/"]):
            with self.subTest(url):
                self.spool = self.folder / f"spool-{number}"
                client = self.client(url=url)
                client.record("openai", "chat", 1)
                self.assertTrue(client.flush())
                self.assertEqual(len(self.spooled()), 1)

    def test_many_calls_without_an_agent_take_bounded_memory(self):
        code = """
            import resource
            def peak_kib(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for n in range(2000): record("openai", "chat", "0.0001")
            before = peak_kib()
            for n in range(60_000): record("openai", "chat", "0.0001")
            assert flush(60)
            print(peak_kib() - before, stats()["dropped"])
        """
        grown_kib, dropped = map(int, self.worker(code, dead_url(), PYTHONDEVMODE="").split())
        self.assertEqual(dropped, 0)
        self.assertLess(grown_kib, 20_000)
        self.assertEqual(sum(file.read_bytes().count(b"\n") for file in self.spool.glob("*.jsonl")), 62_000)


if __name__ == "__main__":
    unittest.main()
_ = (os, Peer)
