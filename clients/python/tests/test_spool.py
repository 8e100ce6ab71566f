"""The spool: what is on disk. Guards against: lines that are lost or hold others up, files taken from a living writer, a full disk."""

import json
import os
import signal
import subprocess
import sys
import time
import unittest
from decimal import Decimal
from unittest import mock

from support import Case, dead_url, within  # First: it knows the path to the sources.

from lead_factory_metrics import sender
from lead_factory_metrics.spool import Spool

DEAD = dead_url()


class Files(Case):
    def setUp(self):
        super().setUp()
        self.files = Spool(lambda: str(self.spool))
        self.addCleanup(self.files.close)

    def waiting(self, spool=None):
        found = []
        for file in (spool or Spool(lambda: str(self.spool))).waiting():
            found += file.lines()
            file.close()
        return found

    def test_nobody_takes_a_file_that_is_being_written(self):
        self.assertTrue(self.files.append(['{"a":1}']))
        self.assertEqual(self.waiting(), [])
        self.files.close()
        self.assertEqual(self.waiting(), ['{"a":1}'])

    def test_a_file_is_sent_by_one(self):
        self.files.append(['{"a":1}'])
        self.files.close()
        (mine,) = self.files.waiting()
        self.assertEqual(self.waiting(), [])
        mine.remove()
        mine.close()
        self.assertEqual(self.waiting(), [])
        self.assertTrue(self.files.is_empty())

    def test_the_file_of_a_dead_writer_is_anybodys(self):
        code = f"""
            from lead_factory_metrics.spool import Spool
            Spool(lambda: {str(self.spool)!r}).append(['{{"a":1}}'])
            print("written", flush=True)
            time.sleep(600)
        """
        worker = self.worker(code, "off", wait=False)
        self.assertEqual(worker.stdout.readline(), "written\n")
        self.assertEqual(self.waiting(), [])
        worker.kill()
        worker.wait()
        self.assertEqual(self.waiting(), ['{"a":1}'])

    def test_torn_and_foreign_lines_are_left_out(self):
        self.spool.mkdir()
        good = json.dumps({"service": "é \ufffd"}, ensure_ascii=False)
        content = good.encode() + b'\n\n[1]\n"x"\n' + b"\x00" * 4096 + b'\n{"a":1}\r\n\xff\xfe{}\n{"service":"open'
        (self.spool / "x.jsonl").write_bytes(content)
        (self.spool / "y.txt").write_bytes(b'{"a":2}\n')
        with self.assertLogs("lead_factory_metrics") as logs:
            self.assertEqual(self.waiting(), [good, '{"a":1}'])
        self.assert_logged(logs, "5 lines")

    def test_files_end_and_only_their_owner_reads_them(self):
        line = json.dumps({"x": "y" * 1000})
        for _ in range(30):
            self.assertTrue(self.files.append([line] * 100))
        files = list(self.spool.glob("*.jsonl"))
        self.assertGreater(len(files), 2)
        self.assertEqual({file.stat().st_mode & 0o777 for file in files}, {0o600})
        self.assertEqual(self.spool.stat().st_mode & 0o777, 0o700)
        self.files.close()
        self.assertEqual(self.waiting(), [line] * 3000)

    def test_the_folder_stays_where_it_was_when_the_process_goes_elsewhere(self):
        code = f"""
            os.chdir({str(self.folder)!r})
            record("openai", "chat", 1)
            assert flush()
            os.chdir("/")
            record("openai", "chat", 1)
            assert flush()
        """
        self.worker(code, DEAD, LEAD_FACTORY_METRICS_SPOOL="spool")
        self.assertEqual(len(self.spooled()), 2)

    def test_a_folder_that_is_full_takes_no_more(self):
        with mock.patch("lead_factory_metrics.spool.SPOOL_BYTES_MAX", 1000):
            self.assertTrue(self.files.append(["{}" + " " * 500]))
            self.files._measured = (float("-inf"), 0)
            with self.assertLogs("lead_factory_metrics") as logs:
                self.assertFalse(self.files.append(["{}" + " " * 500]))
        self.assert_logged(logs, "cannot be written")

    def test_a_write_that_fails_midway_leaves_no_part(self):
        """With a limit on the size of files, as with a full disk, a write ends in the middle."""
        code = f"""
            import resource
            from lead_factory_metrics.spool import Spool
            spool = Spool(lambda: {str(self.spool)!r})
            assert spool.append(['{{"n":1}}'])
            resource.setrlimit(resource.RLIMIT_FSIZE, (60, resource.RLIM_INFINITY))
            assert not spool.append(['{{"n":2,"long":"%s"}}' % ("x" * 100)])
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            assert spool.append(['{{"n":3}}'])
        """
        self.worker(code, "off")
        self.assertEqual(sorted(self.waiting()), ['{"n":1}', '{"n":3}'])


class Shared(Case):
    def test_many_processes_leave_and_take_calls_and_each_counts_once(self):
        agent = self.agent()
        code = "for n in range(300): record('openai', 'chat', '0.01', id=os.environ['WHO'] + str(n))\nassert flush()"
        workers = [self.worker(code, DEAD, wait=False, WHO=f"w{who}-") for who in range(4)]
        for worker in workers:
            self.assertEqual(worker.wait(timeout=60), 0)
        self.assertEqual(len(self.spooled()), 1200)
        for worker in [self.worker("assert flush()", agent.url, wait=False) for _ in range(4)]:
            self.assertEqual(worker.wait(timeout=60), 0)
        within("all is recorded", lambda: agent.total() == 12)
        self.assert_spool_empties()

    def test_a_sender_that_is_killed_midway_leaves_the_rest_to_the_next(self):
        agent = self.agent()
        self.worker("for n in range(12_000): record('openai', 'chat', '0.001')", DEAD)
        worker = self.worker("time.sleep(60)", agent.url, wait=False)
        within("some of it is recorded", lambda: agent.total() > 0)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.assertNotEqual(self.spooled(), [])
        # On a busy machine one turn may not get through with it.
        within("all is recorded", lambda: self.worker("assert flush()", agent.url) == "" and agent.total() == 12)
        within("the spool is empty", lambda: self.worker("assert flush()", agent.url) == "" and not self.spooled())

    def test_what_dead_processes_left_is_sent_by_importing(self):
        agent = self.agent()
        self.worker("record('openai', 'chat', '0.25')", DEAD)
        with open(next(self.spool.glob("*.jsonl")), "ab") as file:
            file.write(b'{"service":"openai","operation":"chat","amou')
        self.worker("pass", agent.url)
        self.assertEqual(agent.total(), Decimal("0.25"))
        self.assert_spool_empties()

    def test_a_bad_event_in_a_file_takes_nothing_along(self):
        agent = self.agent()
        self.spool.mkdir()
        lines = ['{"service":"openai","amount_usd":1,"id":"a"}', '{"service":"openai","amount_usd":-1}', '{"nonsense":1}']
        lines += ["[" * 100 + "]" * 100, '{"a":' * 40 + "1" + "}" * 40, '{"service":"openai","amount_usd":2,"id":"b"}']
        (self.spool / "by-hand.jsonl").write_text("\n".join(lines))
        client = self.client(agent)
        self.assertTrue(client.flush())
        self.assertEqual((agent.total(), client.stats()["rejected"]), (3, 3))
        self.assert_spool_empties()


class Unwritable(Case):
    def test_calls_wait_in_memory_where_there_is_no_disk(self):
        agent = self.agent()
        agent.stop()
        self.spool.write_text("a file, no folder")
        client = self.client(agent)
        with self.assertLogs("lead_factory_metrics") as logs:
            for _ in range(100):
                client.record("openai", "chat", 1)
            self.assertFalse(client.flush(3))
        self.assert_logged(logs, "cannot be written, events wait in memory")
        agent.start(agent.port)
        self.assertTrue(client.flush())
        within("all is recorded", lambda: agent.total() == 100)

    def test_a_disk_that_has_room_again_is_used(self):
        code = """
            import resource
            record("openai", "chat", 1)
            assert flush()
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            for n in range(50): record("openai", "chat", 1)
            print(flush(3))
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            print(flush(5), stats()["dropped"])
            os._exit(0)
        """
        self.assertEqual(self.worker(code, DEAD), "False\nTrue 0\n")
        self.assertEqual(len(self.spooled()), 51)

    def test_memory_has_a_bound_and_what_is_lost_is_counted(self):
        self.spool.write_text("a file, no folder")
        client = self.client(url=DEAD)
        with mock.patch.object(sender, "MEMORY_EVENTS_MAX", 500), self.assertLogs("lead_factory_metrics") as logs:
            for _ in range(800):
                client.record("openai", "chat", 1)
            self.assertFalse(client.flush(1))
        self.assert_logged(logs, "a call is lost")
        within("each is counted", lambda: client.stats()["queued"] + client.stats()["dropped"] == 800)
        self.assertLessEqual(client.stats()["queued"], 502)

    def test_the_usual_folder_is_found_and_a_home_is_not_needed(self):
        script = "from lead_factory_metrics import spool; print(spool.usual_folder())"
        for home, state, found in [
            (self.folder, "", self.folder / ".local/state/lead-factory-metrics/spool"),
            (self.folder, str(self.folder / "state"), self.folder / "state/lead-factory-metrics/spool"),
            ("/proc/none", "", self.folder / f"lead-factory-metrics-{os.getuid()}"),
        ]:
            env = self.environment("off", HOME=str(home), XDG_STATE_HOME=state, TMPDIR=str(self.folder), LEAD_FACTORY_METRICS_SPOOL="")
            said = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
            self.assertEqual(said.stdout.strip(), str(found))

    def test_a_temporary_folder_of_somebody_else_is_not_used(self):
        if os.getuid() != 0:
            self.skipTest("needs root to give a folder away")
        theirs = self.folder / "lead-factory-metrics-0"
        theirs.mkdir()
        os.chown(theirs, 65534, 65534)
        env = self.environment("off", HOME="/proc/none", XDG_STATE_HOME="", TMPDIR=str(self.folder), LEAD_FACTORY_METRICS_SPOOL="")
        script = "from lead_factory_metrics import spool; print(spool.usual_folder())"
        said = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
        self.assertNotEqual(said.stdout.strip(), str(theirs))
        self.assertTrue(said.stdout.startswith(str(self.folder)))


class Bursts(Case):
    def test_what_does_not_fit_into_the_queue_goes_to_disk_and_is_sent(self):
        agent = self.agent()
        agent.signal(signal.SIGSTOP)
        client = self.client(agent)
        with mock.patch.object(sender, "QUEUE_EVENTS_MAX", 200):
            for _ in range(3000):
                client.record("openai", "chat", "0.01")
            within("the queue is short", lambda: client.stats()["queued"] <= 1300)
            agent.signal(signal.SIGCONT)
            self.assertTrue(client.flush())
        within("all is recorded", lambda: agent.total() == 30)
        self.assert_spool_empties()
        self.assertEqual(client.stats()["dropped"], 0)

    def test_the_spool_has_its_turn_while_calls_keep_coming(self):
        agent = self.agent()
        self.worker("for n in range(50): record('spooled', 'chat', '0.01')", DEAD)
        client = self.client(agent)
        deadline = time.monotonic() + 60
        while not agent.total(service="spooled"):
            self.assertLess(time.monotonic(), deadline)
            for _ in range(200):
                client.record("openai", "chat", "0.0001")
        within("all of it is recorded", lambda: agent.total(service="spooled") == Decimal("0.5"))


if __name__ == "__main__":
    unittest.main()
