"""The names that events bear: few enough that metrics show them all and budgets with `each` have a bounded number of keys."""

import datetime
from collections import namedtuple

# Some need escapes in JSON, in a label or in HTML.
SERVICES = ["crawler", "mailer", "Ärzte & Söhne", 'said "quoted"', "back\\slash", "<b>bold</b>", "serp", "enrich"]
OPERATIONS = ["read", "write", "send", "score", "render"]
# Of the two kinds of load that must not share a sum with others, so that a mistake in them shows as theirs.
HOLD_SERVICE, CALL_SERVICE, CALL_OPERATION = "holds", "openai", "chat"
# Twenty, so that a budget with `each` worker lists all of its keys.
WORKERS = [f"worker-{number}" for number in range(1, 21)]
LEADS = [f"lead-{number}" for number in range(1, 301)]
BATCHES = [f"batch-{number}" for number in range(1, 51)]

Event = namedtuple("Event", "day service operation worker lead input_tokens")


def event(day, service, operation, worker="", lead="", input_tokens=0):
    return Event(day, service, operation, worker, lead, input_tokens)


def utc(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def day_of(seconds):
    return utc(seconds).strftime("%Y-%m-%d")


def time_of(seconds):
    return utc(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")
