"""Fixtures, and the order in which the runs begin: before the first test, those of all tests that were chosen."""

import pytest
from agent import Agent
from runs import RUNS, Results


@pytest.fixture(scope="session")
def results(request):
    made = Results()
    for item in request.session.items:
        for name in getattr(item, "callspec", None) and item.callspec.params.values() or ():
            if isinstance(name, str) and name in RUNS:
                made.begin(name)
        for marker in item.iter_markers("runs"):
            for name in marker.args:
                made.begin(name)
    yield made
    made.close()


@pytest.fixture
def new_agent():
    """Makes agents that end with the test."""
    made = []

    def make(**settings):
        made.append(Agent(**settings))
        return made[-1]

    yield make
    for agent in made:
        agent.close()


def pytest_configure(config):
    config.addinivalue_line("markers", "runs(*names): the senders' runs that a test needs")
