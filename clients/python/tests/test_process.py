"""Forks, exits, signals, threads. Guards against: a child that sends its parent's calls or hangs on its locks, calls that are lost
when a process ends."""

import signal
import subprocess
import sys
import textwrap
import unittest
from decimal import Decimal

from support import Case, within

MANY = """
import multiprocessing, sys
from lead_factory_metrics import record

def work(n):
    for _ in range(50): record("openai", sys.argv[1], "0.01")

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    record("openai", sys.argv[1], "0.5")
    children = [context.Process(target=work, args=(n,)) for n in range(3)]
    for child in children: child.start()
    for child in children: child.join()
    with context.Pool(2) as pool:
        pool.map(work, range(2))
        pool.close()
        pool.join()
"""

class Forks(Case):
    def test_parent_and_child_record_each_their_own(self):
        agent = self.agent()
        code = """
            for n in range(200): record("openai", "parent", "0.01")
            children = []
            for child in range(4):
                pid = os.fork()
                if pid == 0:
                    for n in range(200): record("openai", "child", "0.01")
                    os._exit(0 if flush() and stats()["recorded"] == 200 else 1)
                children.append(pid)
                record("openai", "parent", "0.01")
            print([os.waitpid(pid, 0)[1] for pid in children], flush())
        """
        self.assertEqual(self.worker(code, agent.url), "[0, 0, 0, 0] True\n")
        within("all is recorded", lambda: agent.total() == Decimal("10.04"))

    def test_a_child_of_busy_threads_does_not_hang(self):
        """The fork happens while other threads hold whatever locks there are."""
        agent = self.agent()
        code = """
            import threading
            stop = threading.Event()
            def work():
                while not stop.is_set():
                    record("openai", "parent", "0.0001")
                    flush(1)
            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads: thread.start()
            for turn in range(12):
                pid = os.fork()
                if pid == 0:
                    record("openai", "child", 1)
                    os._exit(0 if flush() else 1)
                assert os.waitpid(pid, 0)[1] == 0
            stop.set()
            for thread in threads: thread.join()
        """
        self.worker(code, agent.url)
        within("each child's call is recorded", lambda: agent.total(operation="child") == 12)

    def test_a_childs_spool_is_its_own(self):
        code = """
            record("openai", "parent", 1)
            assert flush()
            pid = os.fork()
            if pid == 0:
                record("openai", "child", 2)
                os._exit(0 if flush() else 1)
            assert os.waitpid(pid, 0)[1] == 0
            record("openai", "parent", 4)
            assert flush()
        """
        self.worker(code, "http://127.0.0.1:1")
        self.assertEqual(sorted(event["amount_usd"] for event in self.spooled()), ["1", "2", "4"])
        agent = self.agent()
        self.worker("assert flush()", agent.url)
        self.assertEqual(agent.total(), 7)

    def test_a_codec_that_a_fork_left_half_loaded_loses_no_call(self):
        code = """
            import socket
            def odd(*_, **__): raise LookupError("unknown encoding: idna")
            socket.getaddrinfo = odd
            record("openai", "chat", 1)
        """
        self.worker(code, "http://localhost:1")
        agent = self.agent()
        self.worker("assert flush()", agent.url)
        self.assertEqual(agent.total(), 1)

    def test_children_of_multiprocessing_end_without_losing_calls(self):
        agent = self.agent()
        script = self.folder / "many.py"
        script.write_text(MANY)
        for method in ("fork", "spawn", "forkserver"):
            with self.subTest(method):
                run = [sys.executable, str(script), method]
                ended = subprocess.run(run, env=self.environment(agent.url), capture_output=True, text=True, timeout=60)
                self.assertEqual(ended.returncode, 0, ended.stderr)

                def are_all_there():
                    self.worker("assert flush()", agent.url)  # What a child could not deliver in time is on disk.
                    return agent.total(operation=method) == 3

                within(f"the calls of all children of {method}", are_all_there)


class Ends(Case):
    def test_a_worker_that_just_ends_has_recorded(self):
        agent = self.agent()
        self.worker("for n in range(500): record('openai', 'chat', '0.01')", agent.url)
        self.assertEqual(agent.total(), 5)

    def test_a_worker_that_ends_by_an_exception_or_exit_has_recorded(self):
        agent = self.agent()
        for code in ("raise ValueError", "sys.exit(3)"):
            worker = self.worker(f"record('openai', 'chat', 1)\n{code}", agent.url, wait=False)
            worker.wait(timeout=60)
        worker = self.worker("record('openai', 'chat', 1); print('ready', flush=True); time.sleep(60)", agent.url, wait=False)
        worker.stdout.readline()
        worker.send_signal(signal.SIGINT)
        worker.wait(timeout=60)
        self.assertEqual(agent.total(), 3)

    def script(self, code, url):
        """As `worker`, but without our import before all else."""
        path = self.folder / "worker.py"
        path.write_text(textwrap.dedent(code))
        run = [sys.executable, str(path)]
        ended = subprocess.run(run, env=self.environment(url), capture_output=True, text=True, timeout=60)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))

    def test_what_is_recorded_while_the_interpreter_shuts_down_is_kept(self):
        """By exit functions that run after ours, and by finalizers."""
        agent = self.agent()
        code = """
            import atexit, sys
            atexit.register(lambda: sys.modules["lead_factory_metrics"].record("openai", "late", 2))
            from lead_factory_metrics import record
            class Late:
                def __del__(self, record=record): record("openai", "finalizer", 4)
            late = Late()
            record("openai", "chat", 1)
        """
        self.script(code, agent.url)
        self.worker("assert flush()", agent.url)
        self.assertEqual(agent.total(), 7)

    def test_a_thread_that_never_stops_recording_does_not_hang_the_end(self):
        agent = self.agent()
        code = """
            import threading
            from lead_factory_metrics import record
            def straggler():
                while True: record("openai", "straggler", 0)
            for _ in range(3): threading.Thread(target=straggler, daemon=True).start()
            record("openai", "chat", 1)
        """
        self.script(code, agent.url)
        self.assertEqual(agent.total(operation="chat"), 1)

    def test_threads_that_outlive_the_main_thread_have_recorded(self):
        agent = self.agent()
        code = """
            import threading
            def work():
                time.sleep(0.3)
                record("openai", "chat", 1)
            threading.Thread(target=work).start()
        """
        self.worker(code, agent.url)
        self.assertEqual(agent.total(), 1)

    def test_a_signal_handler_may_record(self):
        agent = self.agent()
        code = """
            import signal
            def handler(number, frame): record("openai", "handler", "0.01")
            signal.signal(signal.SIGALRM, handler)
            signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
            deadline = time.monotonic() + 0.8
            n = 0
            while time.monotonic() < deadline:
                record("openai", "chat", "0.0001")
                if n % 200 == 0: flush(5)
                n += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert flush()
            print(n)
        """
        calls = int(self.worker(code, agent.url))
        within("all is recorded", lambda: agent.total(operation="chat") == calls * Decimal("0.0001"))
        self.assertGreater(agent.total(operation="handler"), 0)

    def test_without_threads_the_calls_go_to_disk(self):
        code = """
            import threading
            def refuse(self): raise RuntimeError("can't start new thread")
            threading.Thread.start = refuse
            record("openai", "chat", 1)
            assert flush(2)
        """
        self.worker(code, "http://127.0.0.1:1")
        self.assertEqual(len(self.spooled()), 1)


if __name__ == "__main__":
    unittest.main()
