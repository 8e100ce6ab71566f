"""SIGKILL at random while several workers record, reserve and settle."""

import random
import tempfile
import threading
import time

from agent import Agent, Client, Gone
from model import Model, difference, merged
from script import Script

WORKERS = 6
# A kill comes so long after the program is ready.
KILL_AFTER_SECONDS = (0.0, 0.35)
# All that is shown is compared after so many kills.
COMPARED_EVERY = 20


class Worker(threading.Thread):
    """Works through its script, and sends each operation until it is answered."""

    def __init__(self, agent, seed, lane):
        super().__init__(daemon=True)
        self.model = Model()
        self.script, self.client = Script(seed, self.model, lane), Client(agent)
        self.may_go, self.is_over = threading.Event(), False
        self.is_resting, self.failure, self.done, self.again = threading.Event(), None, 0, 0

    def run(self):
        try:
            while not self.is_over:
                if not self.may_go.is_set():
                    self.is_resting.set()
                    self.may_go.wait()
                    self.is_resting.clear()
                    continue
                operation = self.script.next()
                self.work(operation)
        except Exception as error:
            self.failure = error
        self.is_resting.set()

    def work(self, operation):
        while not self.is_over:
            try:
                operation.attempt(self.client)
            except Gone:
                self.again += 1
                time.sleep(0.003)
                continue
            operation.apply(self.script)
            self.done += 1
            return


def kills(program, count, seed, report, folder=None):
    """So many kills under load."""
    with tempfile.TemporaryDirectory(dir=folder) as folder:
        agent = Agent(program, folder)
        done = under_faults(agent, WORKERS, count, seed, KILL_AFTER_SECONDS, agent.kill, "kills", report)
        problem = agent.verify()
        assert not problem, problem
        return {"kills": count, **done}


def under_faults(agent, workers_len, count, seed, after_seconds, fault, what, report):
    """Has workers work while the agent suffers a fault so many times.

    Starts it again where that ended it, and compares all that is shown now and then. In the end the agent is killed. Answers how many operations
    were done.
    """
    chance = random.Random(seed)
    workers = [Worker(agent, f"{seed}/{number}", f"w{number}-") for number in range(workers_len)]
    try:
        agent.start()
        for worker in workers:
            worker.start()
        for number in range(1, count + 1):
            for worker in workers:
                worker.may_go.set()
            time.sleep(chance.uniform(*after_seconds))
            fault()
            if not agent.is_running():
                agent.start()
            raise_failures(workers)
            if number % COMPARED_EVERY == 0 or number == count:
                rest(workers)
                found = difference(Client(agent), merged(worker.model for worker in workers))
                assert not found, f"after {number} {what}: {found}"
                report(f"{number} {what}", done=sum(worker.done for worker in workers))
        problem = agent.verify()
        assert not problem, problem
    finally:
        for worker in workers:
            worker.is_over = True
            worker.may_go.set()
        agent.kill()
    return {"operations": sum(worker.done for worker in workers), "repeated": sum(worker.again for worker in workers)}


def raise_failures(workers):
    for worker in workers:
        if worker.failure:
            raise worker.failure


def rest(workers):
    """Until each has its answer, and sends nothing."""
    for worker in workers:
        worker.may_go.clear()
    for worker in workers:
        assert worker.is_resting.wait(120), "a worker never came to rest"
    raise_failures(workers)
