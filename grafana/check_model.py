"""Reads the dashboard into Grafana's own model and writes it again: what the model does not know is lost, and named here."""

import json
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

# Grafana writes these when it exports a dashboard, but its model leaves them out; the last three are read by its Prometheus data source.
NOT_IN_THE_MODEL = {"preload", "builtIn", "definition", "step", "titleFormat", "tagKeys"}


def differences(written, read, place):
    if isinstance(written, dict) and isinstance(read, dict):
        for key, value in written.items():
            if key in read:
                yield from differences(value, read[key], f"{place}.{key}")
            elif key not in NOT_IN_THE_MODEL:
                yield f"{place}.{key} is lost"
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for index, pair in enumerate(zip(written, read)):
            yield from differences(*pair, f"{place}[{index}]")
    elif written != read:
        yield f"{place}: {written!r} becomes {read!r}"


with open(sys.argv[1], encoding="utf-8") as file:
    written = json.load(file)
read = json.loads(JSONEncoder().encode(dashboard.Dashboard.from_json(written)))
found = list(differences(written, read, "dashboard"))
print(*found, sep="\n", end="\n" if found else "")
sys.exit(bool(found))
